"""What the forwarder is asked and by whom, the flights of questions, and how many may wait for them."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from msgspec import Struct

from devdns_resolver.forward_message import Key
from devdns_resolver.query import Query
from devdns_resolver.wirename import Labels

MAX_WAITING = 512
PER_CLIENT = 256


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


class Flight:
    """A question on its way to the upstreams and those who wait for its answer; `late`: they rather take a stale one."""

    __slots__ = ("key", "late", "name", "waiting")

    def __init__(self, key: Key, name: Labels) -> None:
        self.key = key
        self.name = name
        self.waiting: list[Asked] = []
        self.late = False


class Places:
    """How many wait, in all and by client address, so that nobody takes all places."""

    def __init__(self, total: int = MAX_WAITING, each: int = PER_CLIENT) -> None:
        self.taken = 0
        self._total = total
        self._each = each
        self._by_client: dict[str, int] = {}

    def room_for(self, client: str) -> bool:
        return self.taken < self._total and self._by_client.get(client, 0) < self._each

    def take(self, client: str) -> None:
        self.taken += 1
        self._by_client[client] = self._by_client.get(client, 0) + 1

    def leave(self, client: str) -> None:
        self.taken -= 1
        self._by_client[client] -= 1
        if not self._by_client[client]:
            del self._by_client[client]


class Tally(Struct):
    """What the forwarder did: `flights` went to the upstreams and `joined` them, the rest are replies to clients."""

    flights: int = 0
    joined: int = 0
    cached: int = 0
    answered: int = 0
    stale: int = 0
    failed: int = 0
    blocked: int = 0
    busy: int = 0
