"""Between the answers as they are stored, one by one, and the rows that are scored: both ways."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import cast

from devdns_study.errors import RowsRefused
from devdns_study.responses import SUS_ITEMS, TLX_ITEMS, UMUX_ITEMS, Answers, Outcome, Response, Run
from devdns_study.store import Store, is_store
from devdns_study.tables import read_table

CONSENT, SUS, UMUX, TLX, SEQ = "consent", "sus", "umux-lite", "nasa-tlx", "seq"
AGREED, DECLINED = "yes", "no"
ROW = "row"
NOTHING = "-"  # the approach of somebody of whom only the consent is known
FORMS = ((SUS, SUS_ITEMS, "sus"), (UMUX, UMUX_ITEMS, "umux"), (TLX, TLX_ITEMS, "tlx"))


@dataclass(frozen=True, slots=True)
class Source:
    """What a file holds: its rows, the approaches in the order of its plan (empty without one), and who withdrew."""

    rows: list[Response]
    approaches: tuple[str, ...] = ()
    withdrawn: tuple[str, ...] = ()


def read_source(path: Path) -> Source:
    """Reads a CSV file or a study's database, whichever it is."""
    if not is_store(path):
        return Source(read_table(path).responses)
    with Store.opened(path) as store:
        plan = store.plan()
        return Source(responses(store), plan.approaches if plan else (), store.withdrawn())


def responses(store: Store) -> list[Response]:
    """A row for each participant and approach of which anything is stored, in the order of coming."""
    return [row for who, (_, synthetic) in store.participants().items() for row in _of(store, who, synthetic=synthetic)]


def _of(store: Store, who: str, *, synthetic: bool) -> Iterable[Response]:
    given = {(approach, form, item): value for approach, form, item, value in store.every_answer(who)}
    done = store.runs(who)
    approaches = dict.fromkeys([key[0] for key in given if key[0]] + [approach for approach, *_ in done])
    consent = given.get(("", CONSENT, CONSENT)) == AGREED
    for approach in approaches or ([NOTHING] if ("", CONSENT, CONSENT) in given else []):
        numbers = {
            field: _numbers([given.get((approach, form, item)) for item in items]) for form, items, field in FORMS
        }
        runs = tuple(
            Run(task, cast("Outcome | None", outcome), seconds, _number(given.get((approach, SEQ, task))), interrupted)
            for other, task, seconds, outcome, interrupted in done
            if other == approach
        )
        yield Response(who, approach, consent, synthetic, **numbers, runs=runs)


def _numbers(values: Sequence[str | None]) -> Answers:
    return tuple(_number(value) for value in values)


def _number(value: str | None) -> int | None:
    return None if value is None else int(value)


def import_rows(store: Store, rows: Sequence[Response], origin: str) -> int:
    """Takes all rows or none; returns how many were new. Rows that are stored alike already are passed over.

    Raises `RowsRefused` for rows of somebody who has other answers for the approach, or who withdrew, and for participants
    and approaches that the plan has not, when there is one.
    """
    known = {(row.participant, row.approach): row for row in responses(store)}
    consents = {row.participant: row.consent for row in known.values()}
    gone = set(store.withdrawn())
    problems = [*_unplanned(store, rows), *(f"{row.participant} withdrew" for row in rows if row.participant in gone)]
    problems += [
        f"{row.participant} has other answers for {row.approach} already"
        for row in rows
        if known.get((row.participant, row.approach), row) != row
        or consents.get(row.participant, row.consent) != row.consent
    ]
    if problems:
        raise RowsRefused(origin, problems)
    fresh = [row for row in rows if (row.participant, row.approach if row.consent else NOTHING) not in known]
    with store.whole():
        for row in fresh:
            _keep(store, row, origin)
    return len(fresh)


def _unplanned(store: Store, rows: Sequence[Response]) -> Iterator[str]:
    plan = store.plan()
    if plan is None:
        return
    people = [each.participant for each in store.assignments()]
    for row in rows:
        if row.participant not in people:
            yield f"column participant: {row.participant!r} is not in the plan{_meant(row.participant, people)}"
        if row.consent and row.approach not in plan.approaches:
            whose = f"column approach: {row.approach!r} of {row.participant}"
            yield f"{whose} is not in the plan{_meant(row.approach, plan.approaches)}"


def _meant(word: str, known: Sequence[str]) -> str:
    near = get_close_matches(word, known, 1, cutoff=0.7)
    return f", did you mean {near[0]}?" if near else f", it has {', '.join(known[:4])}{', ...' * (len(known) > 4)}"


def _keep(store: Store, row: Response, origin: str) -> None:
    store.begin(row.participant, origin, synthetic=row.synthetic)
    store.answer(row.participant, "", CONSENT, {CONSENT: AGREED if row.consent else DECLINED})
    if not row.consent:
        return  # what was answered without consent is not kept
    store.answer(row.participant, row.approach, ROW, {"origin": origin})
    for form, items, field in FORMS:
        given = zip(items, getattr(row, field), strict=True)
        store.answer(
            row.participant, row.approach, form, {item: str(value) for item, value in given if value is not None}
        )
    store.answer(
        row.participant, row.approach, SEQ, {run.task: str(run.seq) for run in row.runs if run.seq is not None}
    )
    for run in row.runs:
        store.conclude(row.participant, row.approach, run.task, run.seconds, run.outcome)
