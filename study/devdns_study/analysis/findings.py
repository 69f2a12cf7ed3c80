"""The findings: one structure that holds every figure of the report, with the values it was made from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from devdns_bench.statistics.intervals import Interval, interval
from devdns_study import scores, sus
from devdns_study.analysis.measures import ITEM_PRIOR, MEASURES, SUS, Measure
from devdns_study.analysis.pairs import Comparison, compare_all
from devdns_study.estimators.bayes import credible
from devdns_study.estimators.choice import location
from devdns_study.estimators.proportions import adjusted_wald
from devdns_study.grades import adjective, grade
from devdns_study.responses import Response
from devdns_study.rows import Source


class Cell(msgspec.Struct, frozen=True):
    """One measure of one approach: every value, the interval that its size calls for, and the Bayesian one beside it."""

    approach: str
    measure: str
    values: tuple[float, ...]
    interval: Interval
    bayesian: Interval
    grade: str = ""
    adjective: str = ""


class ItemMean(msgspec.Struct, frozen=True):
    """One item of the SUS, turned towards the system: 0 worst, 4 best."""

    approach: str
    item: int
    interval: Interval


class TaskCell(msgspec.Struct, frozen=True):
    """One task with one approach. Times are of runs that passed and were not interrupted, the location is geometric."""

    approach: str
    task: str
    outcomes: dict[str, int]
    completion: Interval
    seconds: tuple[float, ...]
    time: Interval | None


class Findings(msgspec.Struct, frozen=True):
    """Everything; `counts` as `devdns study score` has them, and who was left out of what."""

    seed: int
    approaches: tuple[str, ...]
    counts: dict[str, Any]
    people: dict[str, int]
    cells: tuple[Cell, ...]
    unflagged: tuple[Cell, ...]
    items: tuple[ItemMean, ...]
    tasks: tuple[TaskCell, ...]
    comparisons: tuple[Comparison, ...]


def analyse(source: Source, seed: int = 1) -> Findings:
    """All findings of the rows with consent; approaches in the order of the plan, others by the alphabet after them."""
    rows, order = source.rows, source.approaches
    agreed = [row for row in rows if row.consent]
    there = {row.approach for row in agreed}
    approaches = (*(name for name in order if name in there), *sorted(there - set(order)))
    return Findings(
        seed,
        approaches,
        scores.score_all(rows, len(source.withdrawn))["counts"],
        _people(rows, len(source.withdrawn)),
        tuple(_cells(agreed, approaches, seed)),
        tuple(_cells([row for row in agreed if not _flagged(row)], approaches, seed, [SUS])),
        tuple(_items(agreed, approaches, seed)),
        tuple(_tasks(agreed, approaches, seed)),
        tuple(compare_all(agreed, approaches, seed)),
    )


def _people(rows: Iterable[Response], withdrawn: int) -> dict[str, int]:
    consents = {row.participant: row.consent for row in rows}
    told = Counter("agreed" if agreed else "did not agree" for agreed in consents.values())
    return {"participants": len(consents) + withdrawn, **dict(sorted(told.items())), "withdrew": withdrawn}


def _flagged(row: Response) -> bool:
    found = sus.score(row.sus)
    return bool(found and found.flags)


def values_of(rows: Iterable[Response], approach: str, measure: Measure) -> tuple[float, ...]:
    """The measure's values of one approach, in the order of the rows."""
    found = (measure.of(row) for row in rows if row.approach == approach)
    return tuple(value for value in found if value is not None)


def _cells(
    rows: Sequence[Response], approaches: Sequence[str], seed: int, measures: Sequence[Measure] = MEASURES
) -> Iterator[Cell]:
    for measure in measures:
        for approach in approaches:
            if values := values_of(rows, approach, measure):
                found = location(values, measure.prior, seed)
                mean = sum(values) / len(values)
                words = (grade(mean), adjective(mean)) if measure is SUS else ("", "")
                yield Cell(approach, measure.name, values, found, credible(values, measure.prior), *words)


def _items(rows: Sequence[Response], approaches: Sequence[str], seed: int) -> Iterator[ItemMean]:
    """Answers that were given, without those that the rule for missing items filled in."""
    for approach in approaches:
        scored = [row.sus for row in rows if row.approach == approach and sus.score(row.sus)]
        for place in range(10):
            given = [sus.contributions(answers)[place] for answers in scored if answers[place] is not None]
            if given:
                yield ItemMean(approach, place + 1, location([float(each) for each in given], ITEM_PRIOR, seed))


def _tasks(rows: Sequence[Response], approaches: Sequence[str], seed: int) -> Iterator[TaskCell]:
    names = dict.fromkeys(run.task for row in rows for run in row.runs)
    for task in names:
        for approach in approaches:
            runs = [
                run for row in rows if row.approach == approach for run in row.runs if run.task == task and run.outcome
            ]
            if not runs:
                continue
            outcomes = dict(sorted(Counter(str(run.outcome) for run in runs).items()))
            passed = [run for run in runs if run.outcome == "passed"]
            seconds = tuple(run.seconds for run in passed if run.seconds is not None and not run.interrupted)
            time = interval(seconds, scale="log", seed=seed) if seconds else None
            yield TaskCell(approach, task, outcomes, adjusted_wald(len(passed), len(runs)), seconds, time)
