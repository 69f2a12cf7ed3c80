"""How routes, conflicts, refusals and bodies of the API look; rows in, lines out."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from devdns.cli.state import here
from devdns.cli.text import Paint, clean, say, state_look, style, table

Row = dict[str, Any]


def print_json(body: object) -> None:
    """A body of the API, in ASCII so that nothing in it can steer a terminal."""
    say(json.dumps(body, indent=2))


def target_text(targets: Iterable[object]) -> str:
    """Targets in short: plain HTTP goes without saying."""
    return ", ".join(str(each).removeprefix("http://") for each in targets) or "-"


def address_text(pair: Sequence[str | int]) -> str:
    """An address and port as they are written in a URL."""
    host, port = pair
    return f"[{host}]:{port}" if ":" in str(host) else f"{host}:{port}"


def source_text(row: Row, base: Path | None = None) -> str:
    """Where a person finds the route: the line of its file, the command, or the source and what it names there. `base` is where paths are told from."""
    source, origin = str(row.get("source", "")), str(row.get("origin", ""))
    kind, _, rest = source.partition(":")
    if kind == "file":
        return near_path(Path(rest), base or here()) + origin.removeprefix(Path(rest).name)
    if kind in ("manual", "") or origin.lower().startswith(kind):
        return origin or source
    return f"{source}: {origin}" if origin else source


def near_path(path: Path, base: Path) -> str:
    """A path as short as it can be told: below `base`, below home, or whole."""
    for start, lead in ((base, ""), (Path.home(), "~/")):
        if path.is_relative_to(start):
            return lead + str(path.relative_to(start))
    return str(path)


def route_lines(routes: Iterable[Row], base: Path | None = None, width: int | None = None) -> list[str]:
    """The table of `devdns routes`, within `width` columns; the longer of target and origin is cut first."""
    paint = style(sys.stdout)
    rows = [
        (
            str(row.get("url") or row["name"]),
            target_text(row["targets"]),
            str(row["state"]),
            source_text(row, base),
        )
        for row in sorted(routes, key=_by_name)
    ]
    lines = table(rows, ("NAME", "TARGET", "STATE", "FROM"), look=_look(paint), width=width, cut=(1, 3))
    return [paint(line, "bold") if not number else line for number, line in enumerate(lines)] if rows else []


def _by_name(row: Row) -> tuple[str, bool, str]:
    """By the alphabet; what is below a name as a wildcard stands beside it."""
    host = str(row["host"])
    return host.removeprefix("*."), host.startswith("*."), str(row["prefix"])


def reason_lines(routes: Iterable[Row]) -> list[str]:
    """A line for each route whose state has a reason."""
    paint = style(sys.stdout)
    return [
        f"{paint(clean(row['state']), state_look(row['state']))}  {clean(row['name'])}: {clean(row['reason'])}"
        for row in sorted(routes, key=_by_name)
        if row.get("reason")
    ]


def _look(paint: Paint) -> Callable[[int, str], str]:
    def look(column: int, cell: str) -> str:
        if column == 0:
            return paint(cell, "bold")
        if column == 2:
            return paint(cell, state_look(cell.rstrip()))
        return paint(cell, "dim") if column == 3 else cell

    return look


def conflict_lines(conflicts: Iterable[Row]) -> list[str]:
    """A line for each claim that lost."""
    paint = style(sys.stdout)
    return [
        f"{paint('conflict', 'yellow')}  {clean(row['name'])}: {_side(row['winner'])} keeps the name, "
        f"{_side(row['loser'])} lost it"
        for row in conflicts
    ]


def _side(row: Row) -> str:
    return clean(f"{source_text(row)} ({target_text(row.get('targets', ()))})")


def refusal_lines(refusals: Iterable[Row]) -> list[str]:
    """What could not become a route; the quiet ones are for `explain`."""
    paint = style(sys.stdout)
    return [
        f"{paint(_kind(row), 'yellow')}  {clean(row['name'])} ({clean(source_text(row))}): {clean(_why(row))}"
        for row in refusals
        if not row.get("quiet")
    ]


def _kind(row: Row) -> str:
    return "pending" if row.get("pending") else "refused"


def trouble_lines(sources: Iterable[Row], base: Path | None = None) -> list[str]:
    """A line for each source that does not say what it should: its last routes stay in force."""
    paint = style(sys.stdout)
    return [
        f"{paint('degraded', 'yellow')}  {clean(_trouble(row, base))}" for row in sources if row["state"] == "degraded"
    ]


def _trouble(row: Row, base: Path | None) -> str:
    """The reason often begins with the path of the file, which is told once and in short."""
    near, why = source_text({"source": row["source"]}, base), _why(row)
    path = str(row["source"]).removeprefix("file:")
    return near + why.removeprefix(path) if why.startswith(f"{path}:") else f"{near}: {why}"


def closed_lines(targets: Iterable[Row]) -> list[str]:
    """A line for each target that the proxies find closed."""
    return [
        f"target  {clean(row['target'])} takes no connection ({clean(row['reason'])}); "
        + ("requests fail at once" if row["breaker"] == "open" else f"requests that wait: {row['waiting']}")
        for row in targets
    ]


def _why(row: Row) -> str:
    return " - ".join(str(each) for each in (row.get("reason"), row.get("hint")) if each)
