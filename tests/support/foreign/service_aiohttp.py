"""The sample service (see `services`) on aiohttp: `python service_aiohttp.py PORT`."""

import asyncio
import hashlib
import sys
import time

from aiohttp import WSMsgType, web

LOG = []
PIECE = bytes(65_536)


async def digest(request):
    body = await request.read()
    return web.Response(text=f"{request.method} {len(body)} {hashlib.sha256(body).hexdigest()}")


async def echo(request):
    response = web.StreamResponse()
    await response.prepare(request)
    async for piece in request.content.iter_any():
        await response.write(piece)
    return response


async def events(request):
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    try:
        await response.write(b"data: %f\n\n" % time.monotonic())
        await asyncio.Event().wait()
    finally:
        LOG.append("left /events")


async def endless(request):
    response, sent = web.StreamResponse(), 0
    await response.prepare(request)
    try:
        while True:
            await response.write(PIECE)
            sent += len(PIECE)
    finally:
        LOG.append(f"left /endless {sent}")


async def large(_):
    return web.Response(body=bytes(1 << 19))


async def cut(request):
    response = web.StreamResponse(headers={"Content-Length": "100"} if request.query_string == "sized" else {})
    await response.prepare(request)
    await response.write(b"part")
    request.transport.close()
    return response


async def empty(request):
    return web.Response(status=int(request.match_info["status"]))


async def socket(request):
    if request.query_string == "refuse":
        return web.Response(status=403, text="not you")
    connection = web.WebSocketResponse(max_msg_size=0)
    await connection.prepare(request)
    try:
        async for message in connection:
            await heard(request, connection, message)
    finally:
        LOG.append(f"closed {connection.close_code or 1006}")
    return connection


async def heard(request, connection, message):
    if message.type == WSMsgType.BINARY:
        await connection.send_bytes(message.data)
    elif message.data == "abort":
        request.transport.abort()
    elif message.data.startswith("close "):
        _, code, reason = message.data.split(" ")
        await connection.close(code=int(code), message=reason.encode())
    else:
        await connection.send_str(message.data)


async def log(_):
    return web.Response(text="\n".join(LOG))


def main():
    app = web.Application(client_max_size=1 << 30)
    app.router.add_post("/echo", echo)
    app.router.add_get("/events", events)
    app.router.add_get("/endless", endless)
    app.router.add_get("/large", large)
    app.router.add_get("/cut", cut)
    app.router.add_get("/status/{status}", empty)
    app.router.add_get("/ws", socket)
    app.router.add_get("/log", log)
    app.router.add_route("*", "/{rest:.*}", digest)
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=None, access_log=None, handler_cancellation=True)


if __name__ == "__main__":
    main()
