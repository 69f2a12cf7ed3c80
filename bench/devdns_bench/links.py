"""Bad networks in user space: a link with delay and loss between a proxy and its service, and a DNS server that is slow, dead or flapping.

netem is not in every kernel. Loss on a TCP link is what the ends see of it: the bytes come, one retransmission later.
"""

from __future__ import annotations

import asyncio
import random
import socket
import time
from typing import Literal

RETRANSMISSION = 0.2  # Linux's least
OUTSIDE = "192.0.2.1"
Mode = Literal["well", "dead", "slow", "flapping"]
SLOW = 2.0
FLAP = 1.0


class Link:
    """Carries connections from `port` to `target` of 127.0.0.1, each piece `delay` seconds late each way, some a retransmission later."""

    def __init__(self, port: int, target: int, *, delay: float = 0.0, loss: float = 0.0, seed: int = 1) -> None:
        self.port, self._target = port, target
        self._delay, self._loss, self._random = delay, loss, random.Random(seed)  # noqa: S311 - repeatable losses
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Link:
        self._server = await asyncio.start_server(self._join, "127.0.0.1", self.port)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.close()
            return
        for task in (self._carry(reader, far_writer), self._carry(far_reader, writer)):
            kept = asyncio.create_task(task)
            self._tasks.add(kept)
            kept.add_done_callback(self._tasks.discard)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """In order, as TCP has it: a late piece holds back those behind it, but does not add to their delay."""
        try:
            while piece := await reader.read(65536):
                lost = self._random.random() < self._loss
                await asyncio.sleep(self._delay + (RETRANSMISSION if lost else 0.0))
                writer.write(piece)
        except ConnectionError:
            pass  # the other side went away
        finally:
            writer.close()


class Upstream(asyncio.DatagramProtocol):
    """A DNS server for names that are not ours: every A is `OUTSIDE`, everything else is empty; in one of the bad modes."""

    def __init__(self, mode: Mode) -> None:
        self._mode = mode
        self._began = time.monotonic()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.DatagramTransport = transport  # type: ignore[assignment] # uvloop's is not a subclass

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        silent = self._mode == "flapping" and int((time.monotonic() - self._began) / FLAP) % 2 == 1
        if self._mode == "dead" or silent or len(data) < 17:
            return
        wait = SLOW if self._mode == "slow" else 0.0
        asyncio.get_running_loop().call_later(wait, self.transport.sendto, reply(data), addr)


def reply(query: bytes) -> bytes:
    """The answer to a query with one question (RFC 1035 section 4.1)."""
    end = query.index(b"\0", 12) + 5
    question, asks_a = query[12:end], query[end - 4 : end - 2] == b"\0\1"
    answer = b"\xc0\x0c\0\1\0\1\0\0\0\1\0\4" + socket.inet_aton(OUTSIDE) if asks_a else b""
    return query[:2] + b"\x81\x80\0\1" + (b"\0\1" if asks_a else b"\0\0") + b"\0\0\0\0" + question + answer


async def upstream(ip: str, mode: Mode) -> asyncio.DatagramTransport:
    """Listens on port 53 of `ip`."""
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(lambda: Upstream(mode), (ip, 53))
    return transport
