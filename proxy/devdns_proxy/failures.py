"""What failed, by route, and which targets cannot be reached: as control is told it."""

from __future__ import annotations

from collections.abc import Iterator
from time import time
from typing import TYPE_CHECKING

from devdns.core.sightings import MOST_FAILURES, MOST_TARGETS, Failure, Trouble, cut

if TYPE_CHECKING:
    from devdns_proxy.context import Context


class Failures:
    """Requests answered with 5xx of our own, by route; of many routes those that failed last are kept."""

    __slots__ = ("_by_route",)

    def __init__(self) -> None:
        self._by_route: dict[str, Failure] = {}

    def note(self, route: str, status: int, reason: str) -> None:
        """One more request of this route has failed."""
        before = self._by_route.pop(route, None)
        if before is None and len(self._by_route) >= MOST_FAILURES:
            del self._by_route[next(iter(self._by_route))]
        count = before.count + 1 if before is not None else 1
        self._by_route[route] = Failure(cut(route), count, status, cut(reason), round(time(), 3))

    def __iter__(self) -> Iterator[Failure]:
        return iter(self._by_route.values())


def troubles(context: Context) -> tuple[Trouble, ...]:
    """The targets that are watched now, those that most wait for first where there are too many."""
    ago = time() - context.loop.time()
    watches = sorted(context.watches, key=lambda watch: -len(watch.waiting))[:MOST_TARGETS]
    return tuple(
        Trouble(
            cut(str(each.target)), each.open, cut(each.failed.reason), round(each.since + ago, 1), len(each.waiting)
        )
        for each in watches
    )
