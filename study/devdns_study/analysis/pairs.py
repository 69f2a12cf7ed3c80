"""Comparisons within people, as the protocol fixed them: the SUS is the primary family, all the rest the secondary one.

Each family is corrected by Holm on its own. A difference is second minus first; that of times is a ratio, over the tasks
that the person passed, uninterrupted, with both.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import combinations

import msgspec

from devdns_bench.statistics.comparisons import holm
from devdns_bench.statistics.intervals import Interval, interval
from devdns_study.analysis.measures import EASE, SUS, TLX, UMUX
from devdns_study.estimators.paired import effect, sign_flip
from devdns_study.responses import Response, Run

ALPHA = 0.05
PRIMARY = "primary"
Difference = Callable[[Response, Response], float | None]


class Comparison(msgspec.Struct, frozen=True):
    """`first` and `second` met by the same `interval.n` people; `p` as it is, `adjusted` by Holm within the family."""

    measure: str
    family: str
    first: str
    second: str
    differences: tuple[float, ...]
    interval: Interval
    effect: float | None
    p: float
    adjusted: float

    @property
    def differs(self) -> bool:
        """Whether the study may claim a difference."""
        return self.adjusted < ALPHA


def _by(of: Callable[[Response], float | None]) -> Difference:
    def difference(first: Response, second: Response) -> float | None:
        one, other = of(first), of(second)
        return None if one is None or other is None else other - one

    return difference


def completion(row: Response) -> float | None:
    """The share of tasks that one person completed."""
    tried = [run for run in row.runs if run.outcome]
    return sum(run.outcome == "passed" for run in tried) / len(tried) if tried else None


def log_ratio(first: Response, second: Response) -> float | None:
    """The logarithm of how much longer the second took, over the tasks that passed with both."""
    one, other = _timed(first.runs), _timed(second.runs)
    both = [math.log(other[task] / one[task]) for task in one if task in other]
    return sum(both) / len(both) if both else None


def _timed(runs: Sequence[Run]) -> Mapping[str, float]:
    return {
        run.task: run.seconds
        for run in runs
        if run.outcome == "passed" and run.seconds is not None and not run.interrupted
    }


#: Measure -> family, difference within a person, whether it is a logarithm.
COMPARED: dict[str, tuple[str, Difference, bool]] = {
    "sus": (PRIMARY, _by(SUS.of), False),
    "umux_lite": ("secondary", _by(UMUX.of), False),
    "tlx": ("secondary", _by(TLX.of), False),
    "seq": ("secondary", _by(EASE.of), False),
    "completion": ("secondary", _by(completion), False),
    "time": ("secondary", log_ratio, True),
}


def compare_all(rows: Sequence[Response], approaches: Sequence[str], seed: int) -> list[Comparison]:
    """Every measure for every two approaches that at least two people met both of."""
    found = [*_compared(rows, approaches, seed)]
    for family in dict.fromkeys(each.family for each in found):
        places = [place for place, each in enumerate(found) if each.family == family]
        for place, adjusted in zip(places, holm([found[place].p for place in places]), strict=True):
            found[place] = msgspec.structs.replace(found[place], adjusted=adjusted)
    return found


def _compared(rows: Sequence[Response], approaches: Sequence[str], seed: int) -> Iterator[Comparison]:
    known = {(row.participant, row.approach): row for row in rows}
    people = list(dict.fromkeys(row.participant for row in rows))
    for measure, (family, difference, logarithm) in COMPARED.items():
        for first, second in combinations(approaches, 2):
            both = [(known.get((who, first)), known.get((who, second))) for who in people]
            values = [difference(one, other) for one, other in both if one is not None and other is not None]
            kept = tuple(value for value in values if value is not None)
            if len(kept) > 1:
                p = sign_flip(kept, seed)
                size = effect(kept)
                shown = tuple(map(math.exp, kept)) if logarithm else kept
                reach = interval(shown, scale="log" if logarithm else "linear", seed=seed)
                yield Comparison(measure, family, first, second, shown, reach, size, p, p)
