"""All that a development stack does to a proxy at once: requests, uploads, WebSockets, event streams, and clients that leave.

Each kind is a coroutine that does it once and raises when something is wrong; `Mixed` repeats them all until it is stopped and counts.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

import websockets
from aiohttp import ClientSession, TCPConnector

BODY = random.Random(1).randbytes(1 << 20)
SAID = f"POST {len(BODY)} {hashlib.sha256(BODY).hexdigest()}"
NOTHING = f"GET 0 {hashlib.sha256(b'').hexdigest()}"
HOST = b" HTTP/1.1\r\nHost: api.dev.test\r\n"
#: What a client may have sent when it leaves.
BEGUN = (
    b"GET /x" + HOST,
    b"GET /endless" + HOST + b"\r\n",
    b"GET /events" + HOST + b"\r\n",
    b"POST /" + HOST + b"Content-Length: 1048576\r\n\r\n" + BODY[:300_000],
    b"POST /echo" + HOST + b"Transfer-Encoding: chunked\r\n\r\n30d40\r\n" + BODY[:200_000],
    b"GET /ws" + HOST + b"Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n\x81\x85",
)
BOUND = 30.0


class Wrong(Exception):
    """An answer that is not the service's own."""


class Mixed:
    """The load on the proxy at `address`; `counts` by kind, `wrong` says what was not as it should be."""

    def __init__(self, address: tuple[str, int], names: Sequence[str], seed: int = 0) -> None:
        self._host, self._port = address
        self._names = names
        self._random = random.Random(seed)
        self._stopped = asyncio.Event()
        self.counts: Counter[str] = Counter()
        self.wrong: Counter[str] = Counter()

    async def run(self) -> None:
        """Until `stop`: one task for each kind and pace, the sessions kept between rounds."""
        connector = TCPConnector(limit=0, keepalive_timeout=5)
        async with ClientSession(f"http://{self._host}:{self._port}", connector=connector) as session:
            kinds: list[tuple[Callable[[ClientSession], Awaitable[None]], int, float]] = [
                (self.request, 16, 0.02),
                (self.upload, 3, 0.2),
                (self.socket, 10, 0.3),
                (self.events, 10, 0.5),
                (self.leave, 10, 0.1),
            ]
            await asyncio.gather(
                *(self._repeat(kind, session, pause) for kind, count, pause in kinds for _ in range(count))
            )

    def stop(self) -> None:
        self._stopped.set()

    async def _repeat(
        self, kind: Callable[[ClientSession], Awaitable[None]], session: ClientSession, pause: float
    ) -> None:
        while not self._stopped.is_set():
            try:
                async with asyncio.timeout(BOUND):
                    await kind(session)
            except Exception as error:  # noqa: BLE001 # whatever it was, it is counted
                self.wrong[f"{kind.__name__}: {error!r}"[:200]] += 1
            self.counts[kind.__name__] += 1
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopped.wait(), pause * self._random.random() * 2)

    def _headers(self) -> dict[str, str]:
        return {"Host": self._random.choice(self._names)}

    async def request(self, session: ClientSession) -> None:
        close = {"Connection": "close"} if self._random.random() < 0.2 else {}
        async with session.get("/x", headers={**self._headers(), **close}) as response:
            self._check(response.status, await response.text(), NOTHING)

    async def upload(self, session: ClientSession) -> None:
        async def pieces():
            for at in range(0, len(BODY), 50_000):
                yield BODY[at : at + 50_000]

        async with session.post("/", data=pieces(), headers=self._headers()) as response:
            self._check(response.status, await response.text(), SAID)

    async def socket(self, _: ClientSession) -> None:
        name = self._headers()["Host"]
        async with websockets.connect(f"ws://{name}/ws", host=self._host, port=self._port) as client:
            for size in (1, 1_000, 100_000):
                await client.send(BODY[:size])
                self._check(200, await client.recv(), BODY[:size])

    async def events(self, session: ClientSession) -> None:
        async with session.get("/events", headers=self._headers()) as response:
            line = await response.content.readline()
            self._check(response.status, line[:6], b"data: ")
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopped.wait(), 2 * self._random.random())

    async def leave(self, _: ClientSession) -> None:
        """Whatever it is told is not looked at, but for what only we would say."""
        reader, writer = await asyncio.open_connection(self._host, self._port)
        writer.write(self._random.choice(BEGUN))
        with suppress(TimeoutError):
            async with asyncio.timeout(0.2 * self._random.random()):
                answer = await reader.read(100_000)
                if answer.startswith((b"HTTP/1.1 5", b"HTTP/1.1 404")):
                    raise Wrong(answer[:100])
        writer.transport.abort()

    @staticmethod
    def _check(status: int, said: object, expected: object) -> None:
        if status != 200 or said != expected:
            raise Wrong(status, str(said)[:300])
