"""Routes whose service went down: they stay, `restarting` and with their last targets, until their hold is over.

A source keeps one `Holding`. What went down is known by a key (the id of a container, the instance of an announced
service), under which it comes up again; another service of the same owner speaks for it at once. Time is an argument.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping

from msgspec import Struct
from msgspec.structs import replace

from devdns.core.routes import Route, State

HOLD = 15.0  # seconds


class _Held(Struct):
    route: Route
    until: float


class Holding:
    """What is held, oldest first. `hold` is how many seconds, where a route does not say."""

    def __init__(self, hold: float = HOLD) -> None:
        self._hold = hold
        self._held: dict[str, list[_Held]] = {}

    def __contains__(self, key: object) -> bool:
        return key in self._held

    def __len__(self) -> int:
        return len(self._held)

    def fall(self, key: str, routes: Iterable[Route], reason: str, now: float) -> None:
        """Its service went down. One that was down already keeps its time and takes the new reason."""
        before = {each.route.claim: each.until for each in self._held.pop(key, ())}
        held = [_Held(down(route, reason), before.get(route.claim, now + self._time(route))) for route in routes]
        if held:
            self._held[key] = held

    def rise(self, key: str) -> None:
        """It is up again, or what became of it is known otherwise."""
        self._held.pop(key, None)

    def of(self, key: str) -> tuple[Route, ...]:
        """The routes held under one key."""
        return tuple(each.route for each in self._held.get(key, ()))

    def routes(self, now: float) -> Mapping[str, tuple[Route, ...]]:
        """The routes still held, by key. What ran out is forgotten."""
        for key, held in list(self._held.items()):
            left = [each for each in held if each.until > now]
            if left:
                self._held[key] = left
            else:
                del self._held[key]
        return {key: self.of(key) for key in self._held}

    def yield_to(self, owners: Container[str]) -> None:
        """Forgets what belongs to owners that have another service up."""
        for key, held in list(self._held.items()):
            if all(each.route.owner in owners for each in held):
                del self._held[key]

    def due(self) -> float | None:
        """When the next hold is over; None when nothing is held."""
        return min((each.until for held in self._held.values() for each in held), default=None)

    def _time(self, route: Route) -> float:
        return self._hold if route.options.hold is None else route.options.hold


def down(route: Route, reason: str) -> Route:
    """The route while its service is down."""
    return replace(route, state=State.RESTARTING, reason=reason)
