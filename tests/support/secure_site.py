"""A site with a page, an event stream and a WebSocket, which says by what name and port it was reached; run with `PORT` for plain HTTP, or `PORT CHAIN KEY` for TLS, several times over.

One process serves all of them on 127.0.0.1 (and on every other address, for the tests' foreign ones) and prints a line when it does.
"""

from __future__ import annotations

import asyncio
import ssl
import sys

from aiohttp import web

PAGE = "<!doctype html><title>the app</title><p>hello over TLS"


async def page(_: web.Request) -> web.Response:
    return web.Response(text=PAGE, content_type="text/html")


async def who(request: web.Request) -> web.Response:
    """For pages of other sites, too."""
    return web.Response(text=_place(request), headers={"Access-Control-Allow-Origin": "*"})


def _place(request: web.Request) -> str:
    assert request.transport is not None
    return f"{request.url.host} at {request.transport.get_extra_info('sockname')[1]}"


async def events(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    await response.write(b"data: an event\n\n")
    await asyncio.Event().wait()
    return response


async def socket(request: web.Request) -> web.WebSocketResponse:
    response = web.WebSocketResponse()
    await response.prepare(request)
    async for message in response:
        await response.send_str(f"{_place(request)} heard {message.data}")
    return response


async def main(doors: list[list[str]]) -> None:
    site = web.Application()
    site.add_routes([web.get("/", page), web.get("/who", who), web.get("/events", events), web.get("/socket", socket)])
    runner = web.AppRunner(site, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    for port, *files in doors:
        await web.TCPSite(runner, port=int(port), ssl_context=_settings(*files) if files else None).start()
    sys.stdout.write("serving\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


def _settings(chain: str, key: str) -> ssl.SSLContext:
    settings = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    settings.load_cert_chain(chain, key)
    return settings


if __name__ == "__main__":
    asyncio.run(main([argument.split(",") for argument in sys.argv[1:]]))
