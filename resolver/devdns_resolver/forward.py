"""Names outside the zones: the cache first, one question to the upstreams for all who ask the same, stale answers in need.

Bounded: clients that wait, in all and per address, exchanges with upstreams, memory of the cache. Nothing here decides what is
forwarded (`answer`) nor who may ask (`access`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine

import structlog

from devdns.core.figures import Family
from devdns_resolver.codes import Rcode
from devdns_resolver.forward_asked import Asked, Flight, Places, Tally
from devdns_resolver.forward_cache import Bounds, Cache, Entry
from devdns_resolver.forward_canary import Canary, question
from devdns_resolver.forward_figures import families
from devdns_resolver.forward_io import clock
from devdns_resolver.forward_message import Answer, Found, Key, aged, bare, capped, is_denial, key_of, render, stale
from devdns_resolver.forward_race import Race
from devdns_resolver.forward_rebinding import is_own, rebinds
from devdns_resolver.forward_sources import Sources
from devdns_resolver.forward_system import PATHS
from devdns_resolver.wirename import Labels, Malformed

log = structlog.get_logger()

MAX_EXCHANGES = 256
#: RFC 8767 section 5: how long stale data are good for, when they are sent although an upstream may still answer, and for how
#: long no upstream is asked again once all have failed (shorter than its 30 s: networks of laptops come back).
STALE_TTL = 30
STALE_AFTER = 1.8
REST = 5.0
#: Seconds for which a failure is kept (RFC 9520 section 3.2).
FAILURE_TTL = 1
#: Top-level domains that no server knows (RFC 6761 section 6.4, RFC 7686).
NOWHERE = frozenset({b"invalid", b"onion"})
LOG_EVERY = 1_000

#: Extended errors (RFC 8914 section 4).
STALE_ANSWER, NOT_READY, BLOCKED, NO_REACHABLE_AUTHORITY = 3, 14, 15, 22


class Forwarder:
    """Forwards for all listeners, to whom `sources` says. `count` is told of every reply and its code.

    `room` bounds the exchanges with upstreams, `bounds` the cache; `paths` are the system's files.
    """

    def __init__(
        self,
        count: Callable[[Asked, int], None],
        *,
        room: int = MAX_EXCHANGES,
        bounds: Bounds | None = None,
        paths: tuple[str, ...] = PATHS,
    ) -> None:
        self.sources = Sources(paths)
        self.cache = Cache(bounds or Bounds())
        self.places = Places()
        self.tally = Tally()
        self.race = Race(self.sources.upstreams, room)
        self._count = count
        self._flights: dict[Key, Flight] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.canary = Canary()
        self._down = False

    def families(self) -> tuple[Family, ...]:
        """What `/metrics` shows of it; nothing as long as there was nothing to forward."""
        if not self.sources.wanted:
            return ()
        return families(self.tally, self.cache, self.sources.upstreams.order(), lying=self.canary.lying)

    def moved(self) -> None:
        """The machine is on another network, or was asleep: nobody counts as dead, and what is kept may be outdated."""
        if self.sources.wanted:
            self.sources.revive()
            self.cache.age(clock())
            self.canary.wake(clock())

    def forward(self, asked: Asked) -> bytes | None:
        """The reply where it is at hand; None when `asked.caller` gets it later."""
        if asked.name[-1:] and asked.name[-1] in NOWHERE:
            return self._bare(asked, Rcode.NXDOMAIN)
        now, key = clock(), key_of(asked.data, asked.query)
        if self.sources.refresh(now):
            self.cache.age(now)
            self.canary.expect(now)
        if now >= self.canary.due and not self.canary.singing:
            self._start(self._sing())
        entry = self.cache.look(key, now)
        if entry is None:
            return self._join(asked, key, entry)
        if now < entry.until:
            self.tally.cached += 1
            return self._render(asked, aged(entry.answer, int(now - entry.since)))
        return self._refresh(asked, key, entry, now)

    async def close(self) -> None:
        """Ends all that is under way; nobody is answered any more."""
        tasks = {*self._tasks, *self.race.attempts}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _refresh(self, asked: Asked, key: Key, entry: Entry, now: float) -> bytes | None:
        """What is stale: asked for anew, and given at once where that is not expected to help (RFC 8767 section 5)."""
        if now < entry.rest_until:
            return self._stale(asked, entry)
        flight = self._flights.get(key)
        if self.sources.upstreams.silent or (flight is not None and flight.late):
            self._flight(key, asked.name)
            return self._stale(asked, entry)
        return self._join(asked, key, entry)

    def _join(self, asked: Asked, key: Key, entry: Entry | None) -> bytes | None:
        client = asked.caller.source
        if not self.places.room_for(client) or (key not in self._flights and self.race.full):
            self.tally.busy += 1
            return self._stale(asked, entry) if entry else self._bare(asked, Rcode.SERVFAIL, NOT_READY)
        self.tally.joined += key in self._flights
        self.places.take(client)
        self._flight(key, asked.name).waiting.append(asked)
        asked.caller.later()
        return None

    def _flight(self, key: Key, name: Labels) -> Flight:
        """The flight of `key`, started where there is none."""
        found = self._flights.get(key)
        if found is None:
            found = self._flights[key] = Flight(key, name)
            self.tally.flights += 1
            self._start(self._fly(found))
        return found

    def _start(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _sing(self) -> None:
        """Finds out whether the upstreams tell the truth."""
        self.canary.singing = True
        key, _ = question()
        answer, found = await self.race.run(key) or (None, ())
        if not self.canary.hear(answer, found, clock()):
            return
        if self.canary.lying:
            log.warning("the network answers names that do not exist: a portal? nothing it says is kept")
        else:
            log.info("the network tells the truth again")

    async def _fly(self, flight: Flight) -> None:
        """From take-off to landing; whatever goes wrong, those who wait get a reply."""
        late = asyncio.get_running_loop().call_later(STALE_AFTER, self._hasten, flight)
        came = None
        try:
            came = await self.race.run(flight.key, listed=is_own(flight.name, self.sources.search))
        except Exception:
            log.exception("forwarding failed", query=flight.key[:128].hex())
        finally:
            late.cancel()
            del self._flights[flight.key]
        self._tell_health(alive=came is not None)
        if came is None:
            self._land_failed(flight)
        else:
            self._land(flight, *came)

    def _land(self, flight: Flight, answer: Answer, found: tuple[Found, ...]) -> None:
        if self._rebinds(flight, answer, found):
            self._reply_all(flight, lambda asked: self._bare(asked, Rcode.NOERROR, BLOCKED))
            return
        bounds = self.cache.bounds
        denial = is_denial(answer.message, found, flight.key)
        answer = capped(answer, min(bounds.negative, answer.lifetime) if denial else bounds.most)
        if self.canary.lying:
            answer = capped(answer, 0)
        else:
            self.cache.keep(flight.key, answer, clock())
        self.tally.answered += len(flight.waiting)
        self._reply_all(flight, lambda asked: self._render(asked, aged(answer, 0)))

    def _land_failed(self, flight: Flight) -> None:
        now = clock()
        entry = self.cache.look(flight.key, now)
        if entry is not None:
            entry.rest_until = now + REST
            self._reply_all(flight, lambda asked: self._stale(asked, entry))
            return
        failure = Answer(bytes(bare(flight.key, Rcode.SERVFAIL)), (), FAILURE_TTL, Rcode.SERVFAIL)
        self.cache.keep(flight.key, failure, now)
        self._reply_all(flight, lambda asked: self._bare(asked, Rcode.SERVFAIL, NO_REACHABLE_AUTHORITY))

    def _hasten(self, flight: Flight) -> None:
        """The upstreams take their time: whoever waits gets what is stale, if anything is; the flight goes on."""
        entry = self.cache.look(flight.key, clock())
        if entry is not None:
            flight.late = True
            self._reply_all(flight, lambda asked: self._stale(asked, entry))

    def _reply_all(self, flight: Flight, made: Callable[[Asked], bytes]) -> None:
        waiting, flight.waiting = flight.waiting, []
        for asked in waiting:
            self.places.leave(asked.caller.source)
            asked.caller.reply(made(asked))

    def _stale(self, asked: Asked, entry: Entry) -> bytes:
        self.tally.stale += 1
        return self._render(asked, stale(entry.answer, STALE_TTL), STALE_ANSWER)

    def _bare(self, asked: Asked, rcode: Rcode, note: int | None = None) -> bytes:
        """A reply without records."""
        self.tally.failed += rcode == Rcode.SERVFAIL
        return self._render(asked, bare(key_of(asked.data, asked.query), rcode), note)

    def _render(self, asked: Asked, message: bytearray, note: int | None = None) -> bytes:
        self._count(asked, message[3] & 15)
        return render(asked.data, asked.query, message, asked.limit, note)

    def _rebinds(self, flight: Flight, answer: Answer, found: tuple[Found, ...]) -> bool:
        try:
            blocked = rebinds(flight.name, answer.message, found, self.sources.search)
        except Malformed:
            blocked = True
        if blocked:
            if self.tally.blocked % LOG_EVERY == 0:
                name = repr(b".".join(flight.name))[2:-1]  # nothing in it acts on a terminal
                log.warning("an upstream gave a public name an address of this network: dropped", name=name)
            self.tally.blocked += 1
        return blocked

    def _tell_health(self, *, alive: bool) -> None:
        """Says once that nobody answers, and once that somebody does again."""
        if alive == self._down and (alive or self.sources.upstreams.silent):
            self._down = not alive
            tell = log.info if alive else log.warning
            tell("upstreams answer again" if alive else "no upstream answers", upstreams=self.sources.shown())
