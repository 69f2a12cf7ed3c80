"""The desk that has leaves signed: which there are, who gets which, when each is renewed. Time comes in; no sockets.

A leaf is signed once and kept. What is asked for by name only, not known from a route, is bounded in number and rate: anybody
who can connect to the proxy may make it ask.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

import structlog
from msgspec import Struct

from devdns.control.leaf_names import checked, names_for, names_of_route
from devdns.core.errors import DevdnsError, NameRefused
from devdns.core.leaves import MOST_LEAVES, Leaf, Leaves, Refused
from devdns.core.names import Zones

MOST_ASKED = 1_024
BURST, RATE = 64, 10.0  # new leaves at once, and per second after that
LOOK = 3_600.0  # seconds: a machine that slept finds late that its clock went on

log = structlog.get_logger()
Names = tuple[str, ...]


class Signer(Protocol):
    """Who signs: the local CA."""

    def leaf(self, names: Names, now: float) -> Leaf: ...


class Own(Protocol):
    """A certificate that the user brought."""

    def leaf(self, now: float) -> Leaf: ...


class Kept(Struct, frozen=True):
    """A leaf and when it is to be renewed: when two thirds of its life are over."""

    leaf: Leaf
    due: float


class Counts(Struct):
    """What the desk did since it opened."""

    signed: int = 0
    renewed: int = 0
    refused: int = 0


class Desk:
    """The leaves of these zones. `signer` makes or reads the CA when it is first needed; `own` is the user's certificate."""

    def __init__(self, zones: Zones, signer: Callable[[], Signer], now: Callable[[], float], own: Own | None) -> None:
        self.counts = Counts()
        self.own: Leaf | None = None
        self.trouble = ""  # why the user's certificate could not be read again
        self._zones = zones
        self._signer = signer
        self._now = now
        self._brought = own
        self._known: dict[Names, Kept] = {}
        self._asked: dict[Names, Kept] = {}
        self._left, self._counted = float(BURST), 0.0

    def open(self) -> None:
        """Reads the user's certificate and has the zones' leaves signed; raises `DevdnsError` where that cannot be."""
        self._counted = self._now()
        self.own = self.read()
        self.know(self._zones.names)

    def leaves(self) -> Leaves:
        """All that a proxy is to have unasked, the one for clients that name no host first."""
        first = (self.own,) if self.own else ()
        return Leaves((*first, *(each.leaf for each in self._known.values()))[:MOST_LEAVES])

    def know(self, hosts: Iterable[str]) -> list[Leaf]:
        """Leaves for hosts of routes that none covers yet; past the most there may be, the proxy asks."""
        new = []
        for host in hosts:
            names = self._lacking(names_of_route(host, self._zones))
            if names and names not in self._known and len(self._known) < MOST_LEAVES - 1:
                kept = self._asked.pop(names, None) or self._sign(names)
                self._known[names] = kept
                new.append(kept.leaf)
        return new

    def ask(self, name: str) -> Leaf | Refused:
        """The leaf for a name, or why there is none."""
        try:
            host = checked(name, self._zones)
        except NameRefused as refused:
            return self._refuse(name, refused.message)
        names = self._lacking(names_for(host, self._zones))
        if self.own and (not names or self.own.covers(host)):
            return self.own
        kept = self._known.get(names) or self._asked.pop(names, None)
        if kept is None and not self._allowed():
            return self._refuse(name, "too many new names at once")
        try:
            kept = kept or self._sign(names)
        except DevdnsError as error:
            return self._refuse(name, str(error))
        if names not in self._known:
            self._asked[names] = kept
            if len(self._asked) > MOST_ASKED:
                self._asked.pop(next(iter(self._asked)))
        return kept.leaf

    def renew(self, hosts: Iterable[str] = ()) -> list[Leaf]:
        """Those that were due, signed anew; one that only was asked for, or is for none of `hosts` any more, is forgotten instead."""
        now = self._now()
        self._asked = {names: kept for names, kept in self._asked.items() if kept.due > now}
        due = [names for names, kept in self._known.items() if kept.due <= now]
        needed = (
            {self._lacking(names_of_route(host, self._zones)) for host in (*self._zones.names, *hosts)} if due else ()
        )
        for names in [each for each in due if each not in needed]:
            del self._known[names]
        due = [names for names in due if names in needed]
        for names in due:
            self._known[names] = self._sign(names)
            self.counts.renewed += 1
            log.info("leaf renewed", names=", ".join(names), until=int(self._known[names].leaf.until))
        return [self._known[names].leaf for names in due]

    def read(self) -> Leaf | None:
        """The user's certificate as its files are now; changes nothing. Raises `DevdnsError`."""
        return self._brought.leaf(self._now()) if self._brought else None

    def take(self, own: Leaf | None) -> bool:
        """Puts the user's certificate in force; false where it is the one in force. The routes' leaves are to be asked for anew."""
        self.trouble = ""
        if own is None or own == self.own:
            return False
        self.own, self._known = own, {}  # it may be for other names than the one before
        self.know(self._zones.names)
        log.info("certificate read", names=", ".join(own.names), until=int(own.until))
        return True

    def keep(self, why: str) -> None:
        """The user's certificate cannot be read now: the one in force stays."""
        if why != self.trouble:
            log.warning("certificate not read", reason=why)
        self.trouble = why

    def wait(self) -> float:
        """Seconds until something is due, at most `LOOK`."""
        first = min((each.due for each in self._known.values()), default=self._now() + LOOK)
        return max(0.0, min(LOOK, first - self._now()))

    def ends(self) -> tuple[int, float | None]:
        """How many leaves are kept, and when the first of them ends."""
        kept = [each.leaf.until for held in (self._known, self._asked) for each in held.values()]
        return len(kept), min(kept, default=None)

    def _lacking(self, names: Names) -> Names:
        """Those of the names that the user's certificate is not for."""
        return tuple(name for name in names if self.own is None or not _for(self.own, name))

    def _sign(self, names: Names) -> Kept:
        now = self._now()
        leaf = self._signer().leaf(names, now)
        self.counts.signed += 1
        return Kept(leaf, leaf.until - (leaf.until - now) / 3)

    def _allowed(self) -> bool:
        """A bucket of `BURST` that fills by `RATE` a second; a clock that was set back fills nothing."""
        now = self._now()
        self._left = min(float(BURST), self._left + RATE * max(0.0, now - self._counted))
        self._counted = now
        if self._left < 1:
            return False
        self._left -= 1
        return True

    def _refuse(self, name: str, reason: str) -> Refused:
        self.counts.refused += 1
        return Refused(name, reason)


def _for(leaf: Leaf, name: str) -> bool:
    """True where a leaf serves all that `name` stands for, which may be a wildcard."""
    return name in leaf.names if name.startswith("*.") else leaf.covers(name)
