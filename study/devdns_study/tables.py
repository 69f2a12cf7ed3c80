"""Tables of answers from paper or survey tools: CSV text in, rows out, or everything that is wrong with it at once.

Row numbers are those of a spreadsheet: the header is row 1. Comma, semicolon and tab separate; titles may be in any case.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any, cast

from devdns_study.columns import COLUMNS, MISSING, TASK_COLUMN, Bad, column
from devdns_study.errors import RowsRefused, StudyRefused
from devdns_study.responses import SUS_ITEMS, TLX_ITEMS, UMUX_ITEMS, Outcome, Response, Run

LARGEST = 10_000_000  # bytes; a study of thousands fits in a tenth of it
SEPARATORS = (",", ";", "\t")
BYTE_ORDER_MARK = "\ufeff"  # spreadsheets write one
Cells = dict[str, object]


@dataclass
class Table:
    """`responses` in the order of the file; `ignored` are titles of columns that are not of the study."""

    responses: list[Response] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)


def read_table(path: Path) -> Table:
    """Reads a CSV file whole; raises `StudyRefused` for one that cannot be read, `RowsRefused` with every bad cell."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise StudyRefused(f"{str(path)!r} cannot be read: {error.strerror}") from None
    if len(raw) > LARGEST:
        raise StudyRefused(f"{str(path)!r} has {len(raw):,} bytes, more than {LARGEST:,}")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        row = raw[: error.start].count(b"\n") + 1
        raise RowsRefused(path.name, [f"row {row}: byte {raw[error.start]:#04x} is not UTF-8"]) from None
    return parse_table(text, path.name)


def parse_table(text: str, where: str) -> Table:
    """The same of text; `where` leads each problem."""
    text = text.removeprefix(BYTE_ORDER_MARK)
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=_separator(text), strict=True))
    except csv.Error as error:
        raise RowsRefused(where, [f"not a CSV file: {error}"]) from None
    if not rows:
        raise RowsRefused(where, ["row 1: no header"])
    titles = [title.strip().lower() for title in rows[0]]
    if problems := [*_title_problems(titles)]:
        raise RowsRefused(where, problems)
    return _body(titles, rows[1:], where)


def _separator(text: str) -> str:
    header = text.partition("\n")[0]
    return max(SEPARATORS, key=header.count)


def _title_problems(titles: Sequence[str]) -> Iterator[str]:
    for title in dict.fromkeys(title for title in titles if title and titles.count(title) > 1):
        yield f"row 1: column {title} stands there {titles.count(title)} times"
    for title, known in COLUMNS.items():
        if known.needed and title not in titles:
            yield f"row 1: column {title} is missing"
    for title in titles:
        if not column(title) and (near := get_close_matches(title, COLUMNS, 1, 0.75)):
            yield f"row 1: column {title!r} is not of the study, did you mean {near[0]}?"


def _body(titles: Sequence[str], rows: Sequence[Sequence[str]], where: str) -> Table:
    table = Table(ignored=[title for title in titles if title and not column(title)])
    problems: list[str] = []
    seen: dict[tuple[str, str], int] = {}
    consents: dict[str, tuple[bool, int]] = {}
    for number, row in enumerate(rows, 2):
        if not any(cell.strip() for cell in row):
            continue
        cells, wrong = _cells(titles, row)
        wrong += [] if wrong else [*_contradictions(cells, number, seen, consents)]
        problems += [f"row {number}{problem}" for problem in wrong]
        if not wrong:
            table.responses.append(_response(cells))
    if not table.responses and not problems:
        problems = ["no row of answers"]
    if problems:
        raise RowsRefused(where, problems)
    return table


def _cells(titles: Sequence[str], row: Sequence[str]) -> tuple[Cells, list[str]]:
    """The cells that were given, read; and what is wrong with the others."""
    cells: Cells = {}
    wrong = [f": {len(row)} cells under {len(titles)} titles"] if len(row) > len(titles) else []
    for title, cell in zip(titles, [*row, *[""] * (len(titles) - len(row))], strict=False):
        known, text = column(title), cell.strip()
        if known is None:
            continue
        if text.lower() in MISSING:
            wrong += [] if known.may_miss else [f", column {title}: empty"]
            continue
        try:
            cells[title] = known.read(text)
        except Bad as bad:
            wrong.append(f", column {title}: {_quoted(text)} {bad}")
    return cells, wrong


def _quoted(text: str) -> str:
    return repr(text if len(text) <= 40 else f"{text[:37]}...")


def _contradictions(
    cells: Cells, number: int, seen: dict[tuple[str, str], int], consents: dict[str, tuple[bool, int]]
) -> Iterator[str]:
    """What contradicts an earlier row; remembers this one."""
    who, what = str(cells["participant"]), str(cells["approach"])
    first = seen.setdefault((who, what), number)
    if first != number:
        yield f", column participant: {who!r} has an answer for {what!r} in row {first} already"
    consent, row = consents.setdefault(who, (bool(cells["consent"]), number))
    if consent != cells["consent"]:
        yield f", column consent: {who!r} said otherwise in row {row}"


def _response(cells: Mapping[str, Any]) -> Response:
    sus, umux, tlx = (tuple(cells.get(item) for item in items) for items in (SUS_ITEMS, UMUX_ITEMS, TLX_ITEMS))
    who, approach, consent = (cells[title] for title in ("participant", "approach", "consent"))
    return Response(who, approach, consent, cells.get("synthetic", False), sus, umux, tlx, _runs(cells))


def _runs(cells: Mapping[str, Any]) -> tuple[Run, ...]:
    parts: dict[str, dict[str, Any]] = {}
    for title, value in cells.items():
        if task := TASK_COLUMN.fullmatch(title):
            parts.setdefault(task["task"], {})[task["part"]] = value
    return tuple(
        Run(task, cast("Outcome | None", row.get("outcome")), row.get("seconds"), row.get("seq"))
        for task, row in parts.items()
    )
