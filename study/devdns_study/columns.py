"""The columns of a table of answers: their names, what a cell may say, and what it becomes.

A cell is text; `Bad` says what is wrong with it, in words that follow the quoted cell. Empty cells, `NA` and `n/a` are
missing answers.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from devdns_study.responses import OUTCOMES, SUS_ITEMS, TLX_ITEMS, UMUX_ITEMS

MISSING = ("", "na", "n/a")
YES, NO = ("true", "yes", "y", "1"), ("false", "no", "n", "0")
NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]{0,30}[A-Za-z0-9])?")
TASK_COLUMN = re.compile(r"(?P<task>[a-z][a-z0-9-]*)_(?P<part>outcome|seconds|seq)")
LONGEST = 24 * 3600.0  # seconds; what is longer was not one task


class Bad(ValueError):
    """A cell that cannot be read; its words follow the quoted cell."""


Reading = Callable[[str], object]


@dataclass(frozen=True, slots=True)
class Column:
    """How cells of one column are read. What is `needed` must be there as a column and may not be empty, unless `may_miss`."""

    read: Reading
    doc: str
    needed: bool = False
    may_miss: bool = True


def name(cell: str) -> str:
    """A pseudonym or an approach; spaces, dots and signs would let real names and addresses in."""
    if not NAME.fullmatch(cell):
        raise Bad("is not a name of letters, digits, - and _ (at most 32)")
    return cell


def yes_or_no(cell: str) -> bool:
    """True or false, in the words of survey tools."""
    word = cell.lower()
    if word not in (*YES, *NO):
        raise Bad("is neither true nor false")
    return word in YES


def whole(low: int, high: int, cell: str) -> int:
    """A whole number from low to high; spreadsheets may write 4 as 4.0."""
    if not re.fullmatch(r"[0-9]{1,4}(?:\.0+)?", cell, re.ASCII) or not low <= int(float(cell)) <= high:
        raise Bad(f"is not a whole number from {low} to {high}")
    return int(float(cell))


def seconds(cell: str) -> float:
    """A duration of one task."""
    if not re.fullmatch(r"[0-9]{1,6}(?:\.[0-9]{1,6})?", cell, re.ASCII) or not 0 < float(cell) <= LONGEST:
        raise Bad("is not a number of seconds above 0")
    return float(cell)


def outcome(cell: str) -> str:
    """How a task ended."""
    word = cell.lower()
    if word not in OUTCOMES:
        raise Bad(f"is not one of {', '.join(OUTCOMES)}")
    return word


COLUMNS: dict[str, Column] = {
    "participant": Column(name, "pseudonym, the same in all rows of one person", needed=True, may_miss=False),
    "approach": Column(name, "what was used, such as devdns or ports", needed=True, may_miss=False),
    "consent": Column(
        yes_or_no, "true or false; rows with false are counted and left out", needed=True, may_miss=False
    ),
    **{item: Column(partial(whole, 1, 5), "1 to 5, in Brooke's order", needed=True) for item in SUS_ITEMS},
    **{item: Column(partial(whole, 1, 7), "1 to 7") for item in UMUX_ITEMS},
    **{item: Column(partial(whole, 0, 100), "0 to 100, more being worse") for item in TLX_ITEMS},
    "synthetic": Column(yes_or_no, "true for rows that no person gave"),
}
TASK_PARTS: dict[str, Column] = {
    "outcome": Column(outcome, "passed, failed, gave-up or timeout"),
    "seconds": Column(seconds, "time on the task"),
    "seq": Column(partial(whole, 1, 7), "single ease question, 1 to 7"),
}


def column(title: str) -> Column | None:
    """How the column of this title is read; None for one that is not of the study."""
    if title in COLUMNS:
        return COLUMNS[title]
    task = TASK_COLUMN.fullmatch(title)
    return TASK_PARTS[task["part"]] if task else None
