"""The cache of forwarded answers, with the time as an argument: seconds of any clock that never goes back.

Bounded in entries and bytes, the one used longest ago goes first. What is over its TTL stays a while for the hour when no
upstream answers (RFC 8767).
"""

from __future__ import annotations

from msgspec import Struct

from devdns_resolver.forward_message import USABLE, Answer, Key

#: What an entry costs besides its message and its key (measured: dict slot, two structs, tuple of places).
OVERHEAD = 450


class Bounds(Struct, frozen=True):
    """Limits of the cache. Times in seconds; `negative` bounds denials (RFC 2308 section 5), `stale` what is over its TTL."""

    entries: int = 2_000
    bytes: int = 1 << 20
    least: int = 0
    most: int = 86_400
    negative: int = 900
    stale: int = 86_400


class Entry(Struct, gc=False):
    """An answer, when it came and when it is over; `rest_until`: no upstream is asked again before."""

    answer: Answer
    since: float
    until: float
    rest_until: float = 0.0


class Cache:
    """Answers by key."""

    def __init__(self, bounds: Bounds = Bounds()) -> None:  # noqa: B008 - frozen
        self.bounds = bounds
        self.size = 0
        self._entries: dict[Key, Entry] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def look(self, key: Key, now: float) -> Entry | None:
        """The entry for `key`, fresh while `now` is before its `until`, else stale; None when there is none to use."""
        entry = self._entries.pop(key, None)
        if entry is None:
            return None
        if now >= entry.until + (self.bounds.stale if entry.answer.rcode in USABLE else 0):
            self.size -= _cost(key, entry.answer)
            return None
        self._entries[key] = entry
        return entry

    def keep(self, key: Key, answer: Answer, now: float) -> None:
        """Keeps an answer for its lifetime; one that may not be kept only takes the place of what was there."""
        self.drop(key)
        cost = _cost(key, answer)
        if answer.lifetime <= 0 or cost > self.bounds.bytes // 16:
            return
        self._entries[key] = Entry(answer, now, now + max(answer.lifetime, self.bounds.least))
        self.size += cost
        while len(self._entries) > self.bounds.entries or self.size > self.bounds.bytes:
            self.drop(next(iter(self._entries)))

    def drop(self, key: Key) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self.size -= _cost(key, entry.answer)

    def age(self, now: float) -> None:
        """Makes all that is kept stale: other upstreams may know better."""
        for entry in self._entries.values():
            entry.until, entry.rest_until = min(entry.until, now), 0.0


def _cost(key: Key, answer: Answer) -> int:
    return len(key) + len(answer.message) + 32 * len(answer.ttls) + OVERHEAD
