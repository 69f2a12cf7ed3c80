"""The store merges what all sources say into one table; control alone holds it.

`replace` decides and returns the effect as a `Change`; who sends it where is not decided here. Stronger sources win;
between equals the first owner keeps a claim until its route leaves; losers are kept as conflicts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct

from devdns.core.names import Claim
from devdns.core.routes import Change, Conflict, Route, RouteTable, pool
from devdns.core.sources import rank

Owner = tuple[Claim, str]


class _Entry(Struct):
    """A route as claimed: `place` orders claims, smallest first (precedence of the source, then who came first)."""

    place: tuple[int, int]
    route: Route


class RouteStore:
    """All claims of all sources, and the table of the winners."""

    def __init__(self) -> None:
        self.table = RouteTable()
        self._claims: dict[Claim, list[_Entry]] = {}
        self._contested: set[Claim] = set()
        self._sources: dict[str, dict[Owner, _Entry]] = {}
        self._arrivals = 0
        self._before: dict[str, dict[Owner, int]] = {}

    def remember(self, arrivals: Mapping[str, Mapping[Owner, int]]) -> None:
        """Who came when, by source, before this store was made: taken up by the first statement of each source."""
        self._before = {source: dict(each) for source, each in arrivals.items()}
        self._arrivals = max([self._arrivals, *(1 + most for each in arrivals.values() for most in each.values())])

    def arrivals(self, source: str) -> dict[Owner, int]:
        """When each owner of a claim in `source` came, as numbers that only grow."""
        return {owner: entry.place[1] for owner, entry in self._sources.get(source, {}).items()}

    def _arrived(self) -> int:
        self._arrivals += 1
        return self._arrivals - 1

    def replace(self, source: str, routes: Iterable[Route]) -> Change:
        """States everything `source` says. Returns what changed in the table (false when nothing did).

        Raises ValueError when a route names another source or the source's kind is unknown.
        """
        before = self._sources.get(source, {})
        after = self._stated(source, routes, before)
        touched = [owner for owner, entry in after.items() if before.get(owner) is not entry]
        gone = [owner for owner in before if owner not in after]
        for owner in gone:
            self._claims[owner[0]].remove(before[owner])
        for owner in touched:
            entries = self._claims.setdefault(owner[0], [])
            if owner in before:
                entries.remove(before[owner])
            entries.append(after[owner])
            entries.sort(key=lambda entry: entry.place)
        self._sources[source] = after
        return self._settle({claim for claim, _ in (*gone, *touched)})

    def forget(self, source: str) -> Change:
        """Drops a source whole, as when its file is detached."""
        change = self.replace(source, ())
        self._sources.pop(source, None)
        return change

    def stated(self, source: str) -> tuple[Route, ...]:
        """What `source` said last, winners and losers."""
        return tuple(entry.route for entry in self._sources.get(source, {}).values())

    def conflicts(self) -> tuple[Conflict, ...]:
        """Every claim that lost, beside the one that beat it."""
        return tuple(
            Conflict(entries[0].route, loser.route)
            for entries in map(self._claims.__getitem__, sorted(self._contested))
            for loser in entries[1:]
        )

    def beaten(self, claim: Claim) -> tuple[Route, ...]:
        """The routes that lost this claim, strongest first."""
        return tuple(entry.route for entry in self._claims.get(claim, ())[1:])

    def _stated(self, source: str, routes: Iterable[Route], before: dict[Owner, _Entry]) -> dict[Owner, _Entry]:
        """Pools per owner; an entry that did not change is kept as it is, a known owner keeps its place."""
        strength = rank(source)
        pools: dict[Owner, list[Route]] = {}
        for route in routes:
            if route.source != source:
                raise ValueError(f"{route.name} says it is from {route.source!r}, not {source!r}")
            pools.setdefault((route.claim, route.owner), []).append(route)
        entries, known = {}, self._before.pop(source, {})
        for owner, members in pools.items():
            old, merged = before.get(owner), pool(members)
            if old is not None and old.route == merged:
                entries[owner] = old
            else:
                came = old.place[1] if old else known[owner] if owner in known else self._arrived()
                entries[owner] = _Entry((strength, came), merged)
        return entries

    def _settle(self, claims: set[Claim]) -> Change:
        """Compares the winners of the touched claims with the table and swaps it if any differ."""
        removed, added = [], []
        for claim in sorted(claims):
            entries, now = self._claims[claim], self.table.get(claim)
            (self._contested.add if len(entries) > 1 else self._contested.discard)(claim)
            if not entries:
                del self._claims[claim]
                if now is not None:
                    removed.append(claim)
            elif entries[0].route != now:
                added.append(entries[0].route)
        change = Change(self.table.generation + bool(removed or added), tuple(removed), tuple(added))
        if change:
            self.table = self.table.apply(change)
        return change
