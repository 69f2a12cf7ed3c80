"""What sources said before control was started again: in force until each speaks, and then held where it is silent.

A container that is being restarted just then, or an announcement that is not heard yet, keeps its name. Files and manual
routes say everything at once, so that nothing of theirs is recalled beyond their first word. Time is an argument.
"""

from __future__ import annotations

from msgspec import Struct

from devdns.core.holding import HOLD, down
from devdns.core.routes import Route, State

#: Sources whose first statements are not the whole: services answer one after the other.
GRADUAL = frozenset({"mdns"})
SETTLED = 3.0  # seconds; RFC 6762 section 6 lets a service wait half a second, and a lost packet is asked for again
#: Kinds of sources whose services come and go by themselves.
FLEETING = ("docker", "mdns")
REASON = "it is not there since devdns control was started again"


class _Recalled(Struct):
    routes: tuple[Route, ...]
    since: float
    spoken: bool = False


class Recall:
    """The routes recalled, by source. `hold` is how many seconds one is held that is not said again."""

    def __init__(self, hold: float = HOLD) -> None:
        self._hold = hold
        self._all: dict[str, _Recalled] = {}

    def take(self, source: str, routes: tuple[Route, ...], now: float) -> tuple[float, ...]:
        """Recalls the routes of a source. Returns when `whole` changes by itself."""
        if not source.startswith(FLEETING):
            return ()
        self._all[source] = _Recalled(routes, now)
        times = {now + self._time(route) for route in routes}
        return tuple(sorted(times | ({now + SETTLED} if source in GRADUAL else set())))

    def spoke(self, source: str) -> None:
        """The source says itself what there is."""
        if source in self._all:
            self._all[source].spoken = True

    def forget(self, source: str) -> None:
        self._all.pop(source, None)

    def whole(self, source: str, said: tuple[Route, ...], now: float) -> tuple[Route, ...]:
        """What a source says (before it spoke: what is recalled of it), with what is held beyond that."""
        recalled = self._all.get(source)
        if recalled is None:
            return said
        if not recalled.spoken:
            return tuple(
                route for route in said if route.state is not State.RESTARTING or self._lasts(recalled, route, now)
            )
        return said + (self._early if self._is_early(source, recalled, now) else self._late)(recalled, said, now)

    def _is_early(self, source: str, recalled: _Recalled, now: float) -> bool:
        return source in GRADUAL and now < recalled.since + SETTLED

    def _early(self, recalled: _Recalled, said: tuple[Route, ...], _: float) -> tuple[Route, ...]:
        """All that may yet be said again, as it was."""
        known = {(route.claim, route.owner) for route in said}
        return tuple(route for route in recalled.routes if (route.claim, route.owner) not in known)

    def _late(self, recalled: _Recalled, said: tuple[Route, ...], now: float) -> tuple[Route, ...]:
        """What was not said again is down, for its hold, unless its owner or another speaks for it."""
        claims, owners = {route.claim for route in said}, {route.owner for route in said}
        return tuple(
            _down(route)
            for route in recalled.routes
            if self._lasts(recalled, route, now) and route.claim not in claims and route.owner not in owners
        )

    def _lasts(self, recalled: _Recalled, route: Route, now: float) -> bool:
        return now < recalled.since + self._time(route)

    def _time(self, route: Route) -> float:
        return self._hold if route.options.hold is None else route.options.hold


def _down(route: Route) -> Route:
    return route if route.state is State.RESTARTING else down(route, REASON)
