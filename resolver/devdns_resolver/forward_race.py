"""One question and all upstreams: the best is asked first, the next as soon as it is late, the first true answer wins.

An attempt that lost goes on until its time is over, so that what is known of its upstream is measured, not guessed.
"""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Coroutine, Iterator

from devdns_resolver.codes import Rcode
from devdns_resolver.forward_io import ask_tcp, ask_udp, chance, clock
from devdns_resolver.forward_message import USABLE, Answer, Found, Key, is_reply, is_truncated, read, request
from devdns_resolver.forward_upstreams import Upstream, Upstreams
from devdns_resolver.wirename import Malformed

Came = tuple[Answer, tuple[Found, ...]]

#: Seconds until a client gets an answer, whatever happens; under the 5 s after which glibc and dig ask again.
DEADLINE = 4.5
#: An upstream silent for this long has missed; it is listened to until `ATTEMPT`.
LATE = 1.5
ATTEMPT = 4.0
#: Seconds after which one without others is asked once more.
ALONE = 1.2
#: UDP loses packets: each upstream is asked this often within the deadline.
ROUNDS = 3
#: Not the upstream's fault.
OURS = frozenset({errno.EAGAIN, errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


class Race:
    """Asks `upstreams`. At most `room` exchanges at once, each a socket."""

    def __init__(self, upstreams: Upstreams, room: int) -> None:
        self.upstreams = upstreams
        self.room = room
        self.attempts: set[asyncio.Task[Came | None]] = set()

    def __len__(self) -> int:
        return len(self.attempts)

    @property
    def full(self) -> bool:
        return len(self.attempts) >= self.room

    async def run(self, key: Key, *, listed: bool = False) -> Came | None:
        """A usable reply from whoever gave one first, None when nobody did within the deadline.

        `listed`: the order of the list counts, not who is fast.
        """
        mine: dict[asyncio.Task[Came | None], Upstream] = {}
        failed: set[Upstream] = set()
        try:
            async with asyncio.timeout(DEADLINE):
                for upstream, patience in self._turns(failed, listed=listed):
                    mine[self._start(upstream, key)] = upstream
                    came = await self._first(mine, failed, patience)
                    if came is not None:
                        return came
                while mine:
                    came = await self._first(mine, failed, None)
                    if came is not None:
                        return came
        except TimeoutError:
            pass
        return None

    def _turns(self, failed: set[Upstream], *, listed: bool) -> Iterator[tuple[Upstream, float]]:
        """Who is asked next and how long it has for itself; those that failed are not asked again."""
        for number in range(ROUNDS):
            for upstream in self.upstreams.order(listed=listed):
                if upstream not in failed:
                    alone = len(failed) + 1 >= len(self.upstreams)
                    yield upstream, (ALONE if alone else upstream.patience) * 2**number

    async def _first(
        self, mine: dict[asyncio.Task[Came | None], Upstream], failed: set[Upstream], patience: float | None
    ) -> Came | None:
        """The first usable reply among `mine`; None when one of them failed or the time is over."""
        done, _ = await asyncio.wait(mine, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            upstream = mine.pop(task)
            came = task.result()
            if came is not None:
                return came
            failed.add(upstream)
        return None

    def _start(self, upstream: Upstream, key: Key) -> asyncio.Task[Came | None]:
        now = clock()
        upstream.asked = now
        task = self._attempt_soon(upstream, key)
        for other in self.upstreams.aside(now, upstream):
            self._attempt_soon(other, key)
        return task

    def _attempt_soon(self, upstream: Upstream, key: Key) -> asyncio.Task[Came | None]:
        task = asyncio.get_running_loop().create_task(self._attempt(upstream, key))
        self.attempts.add(task)
        task.add_done_callback(self.attempts.discard)
        return task

    async def _attempt(self, upstream: Upstream, key: Key) -> Came | None:
        """One upstream's usable reply, or None; notes how it did."""
        if len(self.attempts) > self.room:
            return None
        try:
            async with asyncio.timeout(ATTEMPT):
                came = await self._ask(upstream, key, edns=upstream.edns)
                if came[0].rcode in (Rcode.FORMERR, Rcode.NOTIMP) and upstream.edns:
                    came = await self._ask(upstream, key, edns=False)
                    upstream.edns = came[0].rcode not in USABLE  # RFC 6891 section 6.2.2
        except (OSError, EOFError, Malformed):
            return None
        return came if came[0].rcode in USABLE else None

    async def _ask(self, upstream: Upstream, key: Key, *, edns: bool) -> Came:
        asked = request(key, chance(), edns=edns)
        data = await self._measured(upstream, ask_udp(upstream.address, asked, lambda data: is_reply(asked, key, data)))
        if is_truncated(data):
            data = await ask_tcp(upstream.address, asked, lambda data: is_reply(asked, key, data))
        return read(data, key)

    async def _measured(self, upstream: Upstream, exchange: Coroutine[object, object, bytes]) -> bytes:
        """The reply of an exchange, whose time or failure is noted."""
        start = clock()
        late = asyncio.get_running_loop().call_later(LATE, lambda: upstream.missed(clock()))
        try:
            data = await exchange
        except OSError as error:
            if error.errno not in OURS:
                upstream.missed(clock(), surely=True)
            raise
        finally:
            late.cancel()
        upstream.answered(clock() - start)
        return data
