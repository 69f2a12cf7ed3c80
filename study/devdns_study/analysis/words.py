"""Findings as text: figures in one form everywhere, and a sentence under each picture that says what it shows."""

from __future__ import annotations

import math
from collections.abc import Iterable

from devdns_bench.statistics.intervals import Interval
from devdns_study.analysis.findings import Cell
from devdns_study.analysis.pairs import Comparison

TITLES = {
    "sus": "SUS",
    "usability": "Usability (SUS)",
    "learnability": "Learnability (SUS)",
    "umux_lite": "UMUX-Lite",
    "tlx": "Task load (raw NASA-TLX)",
    "seq": "Ease of tasks (SEQ)",
    "completion": "Share of tasks completed",
    "time": "Time on task (ratio)",
}


def reach(found: Interval | None, digits: int = 1, scale: float = 1) -> str:
    """`71.2 [64.0, 78.4]`; a dash where nothing is known."""
    if found is None:
        return "-"
    if math.isnan(found.low):
        return f"{found.estimate * scale:.{digits}f}"
    return f"{found.estimate * scale:.{digits}f} [{found.low * scale:.{digits}f}, {found.high * scale:.{digits}f}]"


def mean_of(each: Cell) -> str:
    """The mean as it is, and the interval of its method, whose own centre may be drawn towards the prior."""
    mean, low, high = sum(each.values) / len(each.values), each.interval.low, each.interval.high
    return f"{mean:.1f} [{low:.1f}, {high:.1f}]"


def p_value(p: float) -> str:
    """As journals print it."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def ranking(cells: Iterable[Cell]) -> str:
    """`devdns 81.3 (A), ports 66.2 (C)`: means, best first."""
    means = sorted(((sum(each.values) / len(each.values), each) for each in cells), key=lambda row: -row[0])
    return ", ".join(f"{each.approach} {mean:.1f}" + (f" ({each.grade})" if each.grade else "") for mean, each in means)


def claim(found: Comparison) -> str:
    """What the study may say about two approaches by one measure."""
    title, size = TITLES[found.measure], reach(found.interval, 2 if found.measure in ("time", "completion") else 1)
    people = f"{found.interval.n} people, p {_relation(found.adjusted)} by Holm"
    if not found.differs:
        return f"{title}: no difference between {found.first} and {found.second} is shown ({size}; {people})."
    up = found.interval.estimate > (1 if found.measure == "time" else 0)
    return f"{title}: {found.second} is {'above' if up else 'below'} {found.first} by {size} ({people})."


def _relation(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"= {p:.3f}"
