"""What the other parts told of their figures, added up: several proxies count as one, and what has ended still counts.

A counter therefore never falls while control lives, whichever part is started again: a fall would be read as a new start
of the whole. Gauges are those of the parts that are connected now.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from time import monotonic

from devdns.control.rates import Rate, Rates
from devdns.core.figures import Family, Sample
from devdns.core.frames import Figures

#: Ended parts that are kept apart, because a part that only lost its connection tells the same again.
MOST_ENDED = 16
#: Samples kept of parts that ended for good: a part that went wrong must not grow control.
MOST_KEPT = 20_000
Key = tuple[str, tuple[tuple[str, str], ...]]


class Sum:
    """Families added up, sample by sample."""

    def __init__(self) -> None:
        self._families: dict[str, tuple[Family, dict[Key, float]]] = {}
        self._count = 0

    def add(self, families: Iterable[Family], most: int | None = None) -> None:
        """Adds each sample to the one of the same name and labels; beyond `most` samples no new ones are taken up."""
        for family in families:
            first, values = self._families.setdefault(family.name, (family, {}))
            if first.kind != family.kind:
                continue  # another version of a part, for as long as it takes to replace it
            for sample in family.samples:
                key = (sample.suffix, sample.labels)
                if key in values:
                    values[key] += sample.value
                elif most is None or self._count < most:
                    values[key] = sample.value
                    self._count += 1

    def families(self) -> Iterator[Family]:
        for family, values in self._families.values():
            samples = tuple(Sample(value, labels, suffix) for (suffix, labels), value in values.items())  # type: ignore[arg-type] # it came out of a Sample
            yield Family(family.name, family.kind, family.meaning, samples)


class Told:
    """The newest figures of each connected follower, and what is left of those that are gone."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._rates = Rates()
        self._now: dict[Hashable, Figures] = {}
        self._ended: dict[tuple[str, str], Figures] = {}
        self._past = Sum()

    def hear(self, follower: Hashable, figures: Figures) -> None:
        """A follower told all its figures anew."""
        self._ended.pop((figures.part, figures.life), None)
        self._now[follower] = figures
        self._rates.hear(follower, figures, self._clock())

    def leave(self, follower: Hashable) -> None:
        """A follower is gone. What it counted stays; if it was only its connection, it will tell it again."""
        self._rates.leave(follower)
        figures = self._now.pop(follower, None)
        if figures is None:
            return
        counted = tuple(family for family in figures.families if family.kind != "gauge")
        self._ended[figures.part, figures.life] = Figures(figures.part, counted, figures.life)
        if len(self._ended) > MOST_ENDED:
            self._past.add(self._ended.pop(next(iter(self._ended))).families, MOST_KEPT)

    def by_route(self) -> dict[str, Rate]:
        """Requests per second now."""
        return self._rates.by_route(self._clock())

    def families(self) -> tuple[Family, ...]:
        """Everything, each family once."""
        total = Sum()
        for figures in (*self._now.values(), *self._ended.values()):
            total.add(figures.families)
        total.add(self._past.families())
        return tuple(total.families())
