"""devdns's own names behind a TCP listener: the relay application as the proxy runs it, asked byte by byte."""

import asyncio
import contextlib
import json

from aiohttp import web

from devdns.core.frames import VERSION, Hello, TableView
from devdns.core.routes import RouteTable
from devdns.core.settings import Config
from devdns_proxy.own import application
from support.control import ZONES


def view_of(routes=()):
    return TableView(Hello(VERSION, "instance-1", Config(zones=ZONES.names)), RouteTable(routes, 1))


@contextlib.asynccontextmanager
async def own_names(view, path="web.sock"):
    """Serves the application on a free port; gives the port."""
    runner = web.AppRunner(application(view, path), access_log=None, handler_cancellation=True, shutdown_timeout=30)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


def _joined(chunked):
    """The content of a chunked body."""
    size, _, rest = chunked.partition(b"\r\n")
    length = int(size, 16)
    return rest[:length] + _joined(rest[length + 2 :]) if length else b""


class Answer:
    """A response as it came over the wire."""

    def __init__(self, raw):
        head, _, self.body = raw.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        self.status = int(lines[0].split()[1]) if head else 0
        if b"transfer-encoding: chunked" in head.lower():
            self.body = _joined(self.body)
        self.headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}

    @property
    def json(self):
        return json.loads(self.body)


async def raw(port, *lines, body=b""):
    """Sends a request of these lines, reads to the end of the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(
        "\r\n".join([*lines, f"Content-Length: {len(body)}", "Connection: close", "", ""]).encode("latin-1") + body
    )
    async with asyncio.timeout(10):
        answer = Answer(await reader.read())
    writer.close()
    return answer
