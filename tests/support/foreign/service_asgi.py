"""The sample service (see `services`) as an ASGI application, for uvicorn."""

import asyncio
import contextlib
import hashlib
import time

LOG = []
PIECE = bytes(65_536)


async def begin(send, status=200, headers=()):
    await send({"type": "http.response.start", "status": status, "headers": list(headers)})


async def say(send, text, status=200):
    body = text.encode()
    await begin(send, status, [(b"content-length", b"%d" % len(body))])
    await send({"type": "http.response.body", "body": body})


async def pieces(receive):
    while True:
        message = await receive()
        yield message.get("body", b"")
        if not message.get("more_body"):
            return


async def digest(scope, receive, send):
    body = b"".join([piece async for piece in pieces(receive)])
    await say(send, f"{scope['method']} {len(body)} {hashlib.sha256(body).hexdigest()}")


async def echo(_, receive, send):
    await begin(send)
    async for piece in pieces(receive):
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body"})


async def gone(receive):
    while (await receive())["type"] != "http.disconnect":
        pass


async def events(_, receive, send):
    await begin(send, headers=[(b"content-type", b"text/event-stream")])
    await send({"type": "http.response.body", "body": b"data: %f\n\n" % time.monotonic(), "more_body": True})
    await gone(receive)
    LOG.append("left /events")


async def endless(_, receive, send):
    await begin(send)
    sent, leaving = 0, asyncio.ensure_future(gone(receive))
    while not leaving.done():
        await send({"type": "http.response.body", "body": PIECE, "more_body": True})
        sent += len(PIECE)
        await asyncio.sleep(0)
    LOG.append(f"left /endless {sent}")


async def cut(scope, _, send):
    await begin(send, headers=[(b"content-length", b"100")] if scope["query_string"] == b"sized" else [])
    await send({"type": "http.response.body", "body": b"part", "more_body": True})
    raise RuntimeError("in the middle")


async def empty(scope, _, send):
    await begin(send, int(scope["path"].rpartition("/")[2]))
    await send({"type": "http.response.body"})


async def log(_, __, send):
    await say(send, "\n".join(LOG))


async def socket(scope, receive, send):
    await receive()
    if scope["query_string"] == b"refuse":
        await send({"type": "websocket.close"})  # before it is accepted: 403
        return
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        text = message.get("text") or ""
        if text.startswith("close "):
            _, code, reason = text.split(" ")
            await send({"type": "websocket.close", "code": int(code), "reason": reason})
            return
        body = {"text": text} if text else {"bytes": message["bytes"]}
        with contextlib.suppress(OSError):
            await send({"type": "websocket.send", **body})
    LOG.append(f"closed {message['code']}")


PATHS = {"/echo": echo, "/events": events, "/endless": endless, "/cut": cut, "/log": log}


async def app(scope, receive, send):
    if scope["type"] == "websocket":
        await socket(scope, receive, send)
    elif scope["type"] == "http":
        path = scope["path"]
        await (empty if path.startswith("/status/") else PATHS.get(path, digest))(scope, receive, send)
