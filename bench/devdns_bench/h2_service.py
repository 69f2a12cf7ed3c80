"""Child process of `h2_cost`: our proxy with a TLS listener, and beside it what gives it its one certificate.

`python -m devdns_bench.h2_service PORT SERVICE CERT KEY`
"""

from __future__ import annotations

import asyncio
import socket
import sys
import tempfile
from pathlib import Path

import uvloop

from devdns.core.config import Config
from devdns.core.frames import Hello, TableView
from devdns.core.leaves import Leaf, Leaves, encode
from devdns.core.routes import Route, RouteTable, parse_target
from devdns_bench.http_request import HOST
from devdns_proxy.server import Proxy

FAR = 4e9  # a time after every run


async def serve(port: int, service: int, leaf: Leaf) -> None:
    """Runs the proxy for ever, with a route for `HOST`."""

    async def give(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(encode(Leaves((leaf,))))

    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/leaves.sock"
        giving = await asyncio.start_unix_server(give, path)
        table = RouteTable([Route(host=HOST, targets=(parse_target(service),), source="manual")])
        proxy = Proxy(TableView(Hello(1, "bench", Config()), table), "web.sock", leaves_socket=path)
        await proxy.start([], [socket.create_server(("127.0.0.1", port), backlog=1_024)])
        await giving.serve_forever()


def main() -> None:
    """Runs it."""
    port, service, cert, key = sys.argv[1:]
    leaf = Leaf((HOST,), Path(cert).read_text(), Path(key).read_text(), FAR)
    uvloop.run(serve(int(port), int(service), leaf))


if __name__ == "__main__":
    main()
