"""The resolver on real sockets, in a thread with a loop of its own, so that a test can run foreign programs beside it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Iterator, Sequence

import uvloop

from devdns.core.frames import TableView
from devdns_resolver.server import Resolver


class Running:
    """A resolver that answers; `port` is that of every listener. `swap` hands it another table as the link would."""

    def __init__(self, view: TableView, resolver: Resolver, port: int, loop: asyncio.AbstractEventLoop) -> None:
        self.view = view
        self.resolver = resolver
        self.port = port
        self.loop = loop

    def on_loop(self, function, *arguments):
        """Runs a function in the resolver's loop and returns its result."""
        done: asyncio.Future = asyncio.run_coroutine_threadsafe(_called(function, *arguments), self.loop)
        return done.result(10)

    def swap(self, table) -> None:
        self.on_loop(setattr, self.view, "table", table)


async def _called(function, *arguments):
    return function(*arguments)


def bound(hosts: Sequence[str], port: int = 0) -> tuple[list[socket.socket], list[socket.socket], int]:
    """UDP and listening TCP sockets for every host, all on one port."""
    for _ in range(100):
        with contextlib.ExitStack() as undo:
            udp, tcp, chosen = [], [], port
            try:
                for host in hosts:
                    family = socket.AF_INET6 if ":" in host else socket.AF_INET
                    for kind, made in ((socket.SOCK_STREAM, tcp), (socket.SOCK_DGRAM, udp)):
                        sock = undo.enter_context(socket.socket(family, kind))
                        if family == socket.AF_INET6:
                            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                        if kind == socket.SOCK_STREAM:
                            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                        sock.bind((host, chosen))
                        chosen = sock.getsockname()[1]
                        made.append(sock)
            except OSError:
                if port:
                    raise
                continue
            for sock in tcp:
                sock.listen(128)
            undo.pop_all()
            return udp, tcp, chosen
    raise AssertionError("no port is free for all listeners")


@contextlib.contextmanager
def running(
    view: TableView,
    *hosts: str,
    port: int = 0,
    udp: Sequence[socket.socket] = (),
    loops=uvloop.new_event_loop,
    **limits: float,
) -> Iterator[Running]:
    """A resolver on `hosts` (127.0.0.1 if none) and further UDP sockets, in a loop that `loops` makes; stopped at the end."""
    loop = loops()
    thread = threading.Thread(target=loop.run_forever, name="resolver", daemon=True)
    thread.start()
    resolver = Resolver(view, **limits)
    mine, tcp, chosen = bound(hosts or ("127.0.0.1",), port)
    try:
        asyncio.run_coroutine_threadsafe(resolver.start([*mine, *udp], tcp), loop).result(10)
        yield Running(view, resolver, chosen, loop)
    finally:
        asyncio.run_coroutine_threadsafe(resolver.stop(0.2), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
