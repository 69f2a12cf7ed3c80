"""The report: one HTML page, LaTeX tables and vector figures, from findings alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from devdns_bench.drawing.figures import Dots, dots
from devdns_bench.drawing.page import Picture, Section, write
from devdns_bench.drawing.tables import Table
from devdns_study import sus
from devdns_study.analysis.findings import Cell, Findings, analyse
from devdns_study.analysis.item_plot import item_plot
from devdns_study.analysis.rules import RULES
from devdns_study.analysis.words import TITLES, claim, mean_of, p_value, ranking, reach
from devdns_study.errors import StudyRefused
from devdns_study.responses import OUTCOMES
from devdns_study.rows import Source

MARK = "SYNTHETIC DATA"
WARNING = "Synthetic data: rows that no person gave, for tests and rehearsals. Nothing here is a result."


def write_report(source: Source, folder: Path, *, seed: int = 1, synthetic: bool = False) -> list[Path]:
    """Writes the report; raises `StudyRefused` for synthetic rows unless they are asked for, and without rows to report."""
    rows = source.rows
    made_up = sum(row.synthetic for row in rows)
    if made_up and not synthetic:
        raise StudyRefused(f"{made_up} of {len(rows)} rows are synthetic", "--synthetic reports them, marked as such")
    if not any(row.consent for row in rows):
        raise StudyRefused("there is no row with consent to report")
    findings = analyse(source, seed)
    mark = MARK if made_up else ""
    paths = write(folder, "Usability study: report", sections(findings, mark), WARNING if made_up else "")
    whole = folder / "findings.json"
    whole.write_bytes(msgspec.json.format(msgspec.json.encode(findings), indent=1) + b"\n")
    return [*paths, whole]


def sections(found: Findings, mark: str) -> list[Section]:
    """The whole report in order; with a mark every figure carries it, and every caption begins with it."""
    lead = f"[{mark}] " if mark else ""
    return [
        Section("Participants", tuple(_participants(found, lead))),
        Section("Perceived usability", tuple(_usability(found, mark, lead))),
        Section("Comparisons", tuple(_comparisons(found, lead))),
        Section("Tasks", tuple(_tasks(found, mark, lead))),
        Section("Task load, ease and UMUX-Lite", tuple(_others(found, mark, lead))),
        Section("How it was analysed", RULES),
    ]


def _participants(found: Findings, lead: str) -> Iterator[str | Table]:
    counts = found.counts
    rows = [*found.people.items(), ("rows", counts["rows"]), ("rows scored", counts["scored"])]
    rows += [(f"left out: {reason}", number) for reason, number in counts["excluded"].items()]
    rows += [(f"flagged: {flag}", number) for flag, number in counts["flagged"].items()]
    rows += [("synthetic", counts["synthetic"])] if counts["synthetic"] else []
    caption = f"{lead}Who took part, and what was left out"
    yield Table("participants", caption, ("", "number"), tuple((name, str(number)) for name, number in rows))


def _of(cells: Sequence[Cell], measure: str) -> list[Cell]:
    return [each for each in cells if each.measure == measure]


def _usability(found: Findings, mark: str, lead: str) -> Iterator[str | Picture | Table]:
    cells = _of(found.cells, "sus")
    if not cells:
        yield "No SUS score can be given."
        return
    yield _dots("sus", cells, "SUS score (0 to 100)", mark, f"{lead}SUS by approach: {ranking(cells)}.")
    head = ("approach", "n", "mean with 95 % interval", "method", "Bayesian", "grade", "adjective")
    yield Table("sus", f"{lead}SUS scores by approach", head, tuple(_sus_row(each) for each in cells))
    parts = [each for measure in ("usability", "learnability") for each in _of(found.cells, measure)]
    rows = tuple((TITLES[each.measure], each.approach, str(len(each.values)), mean_of(each)) for each in parts)
    yield Table(
        "sus-parts", f"{lead}Usability and learnability", ("scale", "approach", "n", "mean with 95 % interval"), rows
    )
    yield Picture(
        "sus-items",
        item_plot(found.items, found.approaches, mark),
        f"{lead}The ten items of the SUS, turned so that 4 is best: means with their 95 % intervals.",
    )
    without = _of(found.unflagged, "sus")
    if without and sum(len(each.values) for each in without) < sum(len(each.values) for each in cells):
        caption = f"{lead}SUS without rows that are flagged ({sus.STRAIGHT_LINING}, {sus.IMPUTED})"
        yield Table("sus-unflagged", caption, head, tuple(_sus_row(each) for each in without))


def _sus_row(each: Cell) -> tuple[str, ...]:
    return (
        each.approach,
        str(len(each.values)),
        mean_of(each),
        each.interval.method,
        reach(each.bayesian),
        each.grade,
        each.adjective,
    )


def _dots(name: str, cells: Sequence[Cell], unit: str, mark: str, sentence: str) -> Picture:
    rows = [
        Dots(each.approach, each.values, each.interval.low, sum(each.values) / len(each.values), each.interval.high)
        for each in cells
    ]
    return Picture(name, dots(rows, unit, watermark=mark), sentence)


def _comparisons(found: Findings, lead: str) -> Iterator[str | Table]:
    if not found.comparisons:
        yield "Nothing is compared within people: that needs two people at least who answered with the same two approaches."
        return
    yield from (lead + claim(each) for each in found.comparisons)
    head = ("measure", "family", "second - first", "n", "difference with 95 % interval", "d", "p", "p by Holm")
    rows = tuple(
        (
            TITLES[each.measure],
            each.family,
            f"{each.second} - {each.first}",
            str(each.interval.n),
            reach(each.interval, 2),
            "-" if each.effect is None else f"{each.effect:.2f}",
            p_value(each.p),
            p_value(each.adjusted),
        )
        for each in found.comparisons
    )
    yield Table("comparisons", f"{lead}Differences within people (times as ratios)", head, rows)


def _tasks(found: Findings, mark: str, lead: str) -> Iterator[str | Picture | Table]:
    if not found.tasks:
        yield "No task was recorded."
        return
    shares = [
        Dots(
            f"{each.task}, {each.approach}",
            (),
            *_bounds(each.completion.low, each.completion.estimate, each.completion.high),
        )
        for each in found.tasks
    ]
    sentence = f"{lead}Tasks completed: shares with adjusted Wald intervals (95 %)."
    yield Picture("completion", dots(shares, "tasks completed (%)", watermark=mark), sentence)
    times = [
        Dots(f"{each.task}, {each.approach}", each.seconds, each.time.low, each.time.estimate, each.time.high)
        for each in found.tasks
        if each.time
    ]
    if times:
        sentence = f"{lead}Time on completed tasks: every run, and geometric means with their 95 % intervals."
        yield Picture("times", dots(times, "seconds (log scale)", log=True, watermark=mark), sentence)
    head = ("task", "approach", *OUTCOMES, "completed (%)", "seconds")
    rows = tuple(
        (
            each.task,
            each.approach,
            *(str(each.outcomes.get(outcome, 0)) for outcome in OUTCOMES),
            reach(each.completion, 0, 100),
            reach(each.time, 0),
        )
        for each in found.tasks
    )
    yield Table("tasks", f"{lead}Tasks by approach, with 95 % intervals", head, rows)


def _bounds(low: float, middle: float, high: float) -> tuple[float, float, float]:
    return low * 100, middle * 100, high * 100


def _others(found: Findings, mark: str, lead: str) -> Iterator[str | Picture | Table]:
    units = {
        "tlx": "raw NASA-TLX (0 to 100, more is worse)",
        "umux_lite": "UMUX-Lite (0 to 100)",
        "seq": "SEQ (1 to 7)",
    }
    shown = {measure: _of(found.cells, measure) for measure in units}
    if not any(shown.values()):
        yield "None of these was recorded."
    for measure, cells in shown.items():
        if cells:
            yield _dots(measure, cells, units[measure], mark, f"{lead}{TITLES[measure]}: {ranking(cells)}.")
    rows = tuple(
        (TITLES[measure], each.approach, str(len(each.values)), mean_of(each), each.interval.method)
        for measure, cells in shown.items()
        for each in cells
    )
    if rows:
        head = ("scale", "approach", "n", "mean with 95 % interval", "method")
        yield Table("scales", f"{lead}Task load, UMUX-Lite and ease by approach", head, rows)
