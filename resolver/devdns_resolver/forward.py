"""Names outside the zones: the cache first, one question to the upstreams for all who ask the same, stale answers in need.

Bounded: clients that wait, in all and per address, exchanges with upstreams, memory of the cache. Nothing here decides what is
forwarded (`answer`) nor who may ask (`access`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import NamedTuple, Protocol

import structlog
from msgspec import Struct

from devdns_resolver.codes import Rcode
from devdns_resolver.forward_cache import Bounds, Cache, Entry
from devdns_resolver.forward_io import Files, Listeners, clock
from devdns_resolver.forward_message import Answer, Found, Key, aged, bare, capped, is_denial, key_of, render, stale
from devdns_resolver.forward_race import Race
from devdns_resolver.forward_rebinding import rebinds
from devdns_resolver.forward_system import PATHS, SystemDns, chosen, parse_address
from devdns_resolver.forward_upstreams import Address, Upstreams
from devdns_resolver.query import Query
from devdns_resolver.wirename import Labels, Malformed

log = structlog.get_logger()

MAX_WAITING = 1_024
PER_CLIENT = 512
MAX_EXCHANGES = 512
#: RFC 8767 section 5: how long stale data are good for, when they are sent although an upstream may still answer, and for how
#: long no upstream is asked again once all have failed (shorter than its 30 s: networks of laptops come back).
STALE_TTL = 30
STALE_AFTER = 1.8
REST = 5.0
#: Seconds for which a failure is kept (RFC 9520 section 3.2).
FAILURE_TTL = 1
#: Seconds between two looks at the system's files.
LOOK_EVERY = 1.0
#: Top-level domains that no server knows (RFC 6761 section 6.4, RFC 7686).
NOWHERE = frozenset({b"invalid", b"onion"})
LOG_EVERY = 1_000

#: Extended errors (RFC 8914).
STALE_ANSWER, BLOCKED, NO_REACHABLE_AUTHORITY, NOT_READY = 3, 15, 22, 14


class Caller(Protocol):
    """Who gets a reply that takes time. `later` says that one will come, by exactly one call of `reply`."""

    @property
    def source(self) -> str: ...

    def later(self) -> None: ...

    def reply(self, message: bytes) -> None: ...


class Asked(NamedTuple):
    """A question to forward: the query's bytes up to the end of its question, the query, the largest reply, who asked."""

    data: bytes
    query: Query
    limit: int
    transport: str
    caller: Caller

    @property
    def name(self) -> Labels:
        return self.query.question.name if self.query.question else ()


class Tally(Struct):
    """What the forwarder did; `cached`, `stale` and `failed` are replies to clients, `flights` questions to upstreams."""

    flights: int = 0
    joined: int = 0
    cached: int = 0
    answered: int = 0
    stale: int = 0
    failed: int = 0
    blocked: int = 0
    busy: int = 0


Count = Callable[[Asked, int], None]


class Flight:
    """A question on its way to the upstreams, and those who wait for its answer."""

    def __init__(self, key: Key, name: Labels) -> None:
        self.key = key
        self.name = name
        self.waiting: list[Asked] = []


class Forwarder:
    """Forwards for all listeners. `configure` says to whom; `count` is told of every reply."""

    def __init__(
        self, count: Count, *, room: int = MAX_EXCHANGES, bounds: Bounds | None = None, paths: tuple[str, ...] = PATHS
    ) -> None:
        self.listeners = Listeners()
        self.tally = Tally()
        self.upstreams = Upstreams()
        self.cache = Cache(bounds or Bounds())
        self._count = count
        self._race = Race(self.upstreams, room)
        self._files = Files(paths)
        self._paths = paths
        self._forward: str | tuple[str, ...] = "off"
        self._search: tuple[Labels, ...] = ()
        self._looked = 0.0
        self._flights: dict[Key, Flight] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._waiting: dict[str, int] = {}
        self._held = 0
        self._down = False

    def configure(self, forward: str | tuple[str, ...]) -> None:
        """Takes `dns.forward` as it is in force now."""
        if forward != self._forward:
            self._forward, self._files, self._looked = forward, Files(self._paths), 0.0

    def forward(self, asked: Asked) -> bytes | None:
        """The reply where it is at hand; None when `asked.caller` gets it later."""
        if asked.name[-1:] and asked.name[-1] in NOWHERE:
            return self._bare(asked, Rcode.NXDOMAIN)
        now, key = clock(), key_of(asked.data, asked.query)
        self._look_around(now)
        entry = self.cache.look(key, now)
        if entry is not None and now < entry.until:
            self.tally.cached += 1
            return self._render(asked, aged(entry.answer, int(now - entry.since)))
        if entry is not None and (now < entry.rest_until or self.upstreams.silent):
            if now >= entry.rest_until:
                self._flight(key, asked.name)
            return self._stale(asked, entry)
        return self._join(asked, key, entry)

    def close(self) -> None:
        """Ends all that is under way; nobody is answered any more."""
        self._race.close()
        for task in tuple(self._tasks):
            task.cancel()

    def _join(self, asked: Asked, key: Key, entry: Entry | None) -> bytes | None:
        source = asked.caller.source
        if self._is_busy(source, key):
            self.tally.busy += 1
            return self._stale(asked, entry) if entry else self._bare(asked, Rcode.SERVFAIL, NOT_READY)
        flight = self._flights.get(key)
        if flight is None:
            flight = self._flight(key, asked.name)
            if entry is not None:
                asyncio.get_running_loop().call_later(STALE_AFTER, self._hasten, flight)
        else:
            self.tally.joined += 1
        self._waiting[source] = self._waiting.get(source, 0) + 1
        self._held += 1
        flight.waiting.append(asked)
        asked.caller.later()
        return None

    def _is_busy(self, source: str, key: Key) -> bool:
        """Whether there is no place for one more who waits, or none for that client, or none for another exchange."""
        crowded = self._held >= MAX_WAITING or self._waiting.get(source, 0) >= PER_CLIENT
        return crowded or (key not in self._flights and self._race.full)

    def _flight(self, key: Key, name: Labels) -> Flight:
        """The flight of `key`, started where there is none."""
        found = self._flights.get(key)
        if found is None:
            found = self._flights[key] = Flight(key, name)
            self.tally.flights += 1
            task = asyncio.get_running_loop().create_task(self._fly(found))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return found

    async def _fly(self, flight: Flight) -> None:
        """From take-off to landing; whatever goes wrong, those who wait get a reply."""
        came = None
        try:
            came = await self._race.run(flight.key)
        except Exception:
            log.exception("forwarding failed", query=flight.key[:128].hex())
        finally:
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
        """The upstreams take their time: those who wait get what is stale, the flight goes on for those who come."""
        entry = self.cache.look(flight.key, clock())
        if entry is not None and flight.waiting:
            self._reply_all(flight, lambda asked: self._stale(asked, entry))

    def _reply_all(self, flight: Flight, made: Callable[[Asked], bytes]) -> None:
        waiting, flight.waiting = flight.waiting, []
        for asked in waiting:
            self._leave(asked.caller.source)
            asked.caller.reply(made(asked))

    def _leave(self, source: str) -> None:
        self._held -= 1
        self._waiting[source] -= 1
        if not self._waiting[source]:
            del self._waiting[source]

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
            blocked = rebinds(flight.name, answer.message, found, self._search)
        except Malformed:
            blocked = True
        if blocked:
            if self.tally.blocked % LOG_EVERY == 0:
                name = b".".join(flight.name).decode("ascii", "backslashreplace")
                log.warning("an upstream gave a public name an address of this network: dropped", name=name)
            self.tally.blocked += 1
        return blocked

    def _tell_health(self, *, alive: bool) -> None:
        """Says once that nobody answers, and once that somebody does again."""
        if alive == self._down and (alive or self.upstreams.silent):
            self._down = not alive
            tell = log.info if alive else log.warning
            tell("upstreams answer again" if alive else "no upstream answers", upstreams=self._shown())

    def _look_around(self, now: float) -> None:
        """Notices that the system's files are others: another network, other upstreams."""
        if now < self._looked + LOOK_EVERY:
            return
        self._looked = now
        texts = self._files.changed()
        if texts is None:
            return
        system = chosen(texts, self.listeners.__contains__)
        addresses, self._search = self._addresses(system), system.search
        self.upstreams.revive()
        if addresses != self.upstreams.addresses:
            self.upstreams.replace(addresses)
            self.cache.age(now)
            log.info("upstreams", upstreams=self._shown())

    def _addresses(self, system: SystemDns) -> tuple[Address, ...]:
        if isinstance(self._forward, str):
            return system.upstreams if self._forward == "system" else ()
        return tuple(each for each in map(parse_address, self._forward) if each not in self.listeners)

    def _shown(self) -> list[str]:
        return [f"{host}#{port}" for host, port in self.upstreams.addresses]
