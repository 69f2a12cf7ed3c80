"""Accepts raw TCP at one door, on a socket that others may accept on, too."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

from devdns_proxy.raw.passage import Passage
from devdns_proxy.raw.relay import reset

if TYPE_CHECKING:
    from devdns_proxy.raw.traffic import RawTraffic

#: Connections accepted before the loop goes on.
AT_ONCE = 64
#: Seconds until the next try where a process has no descriptors left.
PAUSE = 0.1


class RawServer:
    """A door: `sock` is bound and listens; it is closed with it."""

    def __init__(self, traffic: RawTraffic, sock: socket.socket) -> None:
        self._traffic = traffic
        self._sock = sock
        self._loop = asyncio.get_running_loop()
        self._place = sock.getsockname()[:2]
        self._timer: asyncio.TimerHandle | None = None
        self._listen()

    def close(self) -> None:
        """Accepts no more."""
        if self._timer is not None:
            self._timer.cancel()
        self._loop.remove_reader(self._sock)
        self._sock.close()

    def _listen(self) -> None:
        self._timer = None
        self._loop.add_reader(self._sock, self._accept)

    def _accept(self) -> None:
        for _ in range(AT_ONCE):
            try:
                client, peer = self._sock.accept()
            except (BlockingIOError, ConnectionError):
                return
            except OSError:  # no descriptors, no memory: what waits is accepted when there are some
                self._loop.remove_reader(self._sock)
                self._timer = self._loop.call_later(PAUSE, self._listen)
                return
            self._enter(client, str(peer[0]))

    def _enter(self, client: socket.socket, peer: str) -> None:
        traffic = self._traffic
        if not traffic.room:
            reset(client)
            traffic.counters.failed += 1
            return
        client.setblocking(False)
        task = self._loop.create_task(Passage(traffic, self._place, client, peer).run())
        traffic.waiting.add(task)
        task.add_done_callback(traffic.waiting.discard)
