"""Text for people: foreign words made harmless, tables, and colour only where it is wanted.

Labels, TXT records and file names come from outside. Whatever could steer a terminal (ESC, C1, OSC, bidi controls) or
break a line is shown as an escape; nothing in this package prints foreign text that did not pass `clean`.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TextIO

CODES = {"bold": 1, "dim": 2, "red": 31, "green": 32, "yellow": 33, "blue": 34, "magenta": 35, "cyan": 36}
GAP = "  "
NARROWEST = 10
Paint = Callable[..., str]

#: How a route's state looks.
STATE_COLOURS = {
    "live": "green",
    "ok": "green",
    "running": "green",
    "own": "green",
    "starting": "yellow",
    "restarting": "yellow",
    "degraded": "yellow",
    "off": "dim",
}


def clean(text: object) -> str:
    """One harmless line: what is not printable (Unicode categories C and Z, but the space) becomes its escape."""
    line = str(text)
    if line.isprintable():
        return line
    return "".join(each if each.isprintable() else _escape(each) for each in line)


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


class ReaderGone(Exception):
    """Whoever read our output has what it wanted (`head`, a pager) and left."""


def say(*lines: str, stream: TextIO | None = None) -> None:
    """Prints lines at once, to stdout unless told otherwise; raises `ReaderGone`."""
    out = stream or sys.stdout
    try:
        out.write("".join(f"{line}\n" for line in lines))
        out.flush()
    except BrokenPipeError:  # click would make exit code 1 of it
        raise ReaderGone from None


def style(stream: TextIO, environ: Mapping[str, str] = os.environ) -> Paint:
    """`paint(text, "bold", "green")` for this stream: colours on a terminal, plain text anywhere else (NO_COLOR)."""
    coloured = stream.isatty() and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"

    def paint(text: str, *looks: str) -> str:
        codes = ";".join(str(CODES[look]) for look in looks)
        return f"\x1b[{codes}m{text}\x1b[0m" if coloured and codes else text

    return paint


def state_look(state: str) -> str:
    """The colour of a state; what is not known to be well is red."""
    return STATE_COLOURS.get(state, "red")


def table(
    rows: Iterable[Sequence[str]],
    header: Sequence[str] = (),
    *,
    look: Callable[[int, str], str] = lambda _, cell: cell,
    width: int | None = None,
    cut: Sequence[int] = (),
) -> list[str]:
    """Aligned lines of clean cells. `look(column, padded)` colours a cell; over `width` the columns in `cut` give way, the widest first."""
    body = [[clean(cell) for cell in row] for row in rows]
    every = [list(header), *body] if header else body
    if not every:
        return []
    sizes = [max(len(row[column]) for row in every) for column in range(len(every[0]))]
    if width is not None:
        sizes = _narrowed(sizes, width - len(GAP) * (len(sizes) - 1), cut)
    lines = []
    for row in every:
        cells = [_fit(cell, size) for cell, size in zip(row, sizes, strict=True)]
        shown = cells if header and row is every[0] else [look(column, cell) for column, cell in enumerate(cells)]
        lines.append(GAP.join(shown).rstrip())
    return lines


def _narrowed(sizes: list[int], room: int, cut: Sequence[int]) -> list[int]:
    """No column gets narrower than what still tells something; what is too wide even so is wrapped by the terminal."""
    sizes = sizes.copy()
    while sum(sizes) > room and cut:
        widest = max(cut, key=sizes.__getitem__)
        if sizes[widest] <= NARROWEST:
            break
        sizes[widest] -= 1
    return sizes


def _fit(cell: str, size: int) -> str:
    return cell.ljust(size) if len(cell) <= size else cell[: size - 3] + "..."


def screen_width(stream: TextIO) -> int | None:
    """Columns of the terminal, None when the stream is not one (then nothing is cut)."""
    return shutil.get_terminal_size().columns if stream.isatty() else None


def duration(seconds: float) -> str:
    """`12 s`, `3 min`, `2 h 5 min`, `4 d 3 h`."""
    minutes, hours, days = int(seconds // 60), int(seconds // 3600), int(seconds // 86400)
    if days:
        return f"{days} d {hours % 24} h"
    if hours:
        return f"{hours} h {minutes % 60} min"
    return f"{minutes} min" if minutes else f"{int(seconds)} s"
