"""`devdns explain NAME|URL`: why a name goes where it goes, hop by hop. Exit code 1 when it goes nowhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import click

from devdns.cli.complete import names
from devdns.cli.explain_look import trail
from devdns.cli.options import common, json_option
from devdns.cli.show import print_json
from devdns.cli.text import clean, say, state_look, style, table
from devdns.doctor.hops import Hop, failing, hops, shape

WELL = ("live", "own")
LOOKS = {"ok": "green", "warning": "yellow", "failed": "red", "skipped": "dim"}


@click.command(short_help="Say why a name leads where it does, or why it does not.")
@click.argument("name", metavar="NAME|URL", shell_complete=names)
@json_option
@common
def explain(name: str, *, state_dir: Path, config: Path | None, as_json: bool) -> int:  # noqa: ARG001 - -c is understood by every command
    """Say where NAME leads, who says so, whether it answers, and what else claimed it; then every hop on the way there."""
    seen = trail(state_dir, name)
    body, found = seen.answer, hops(seen)
    if as_json:
        print_json({**body, **shape(found)})
    else:
        paint, verdict = style(sys.stdout), clean(body["verdict"])
        first, *rest = [clean(line) for line in body["lines"]] or [clean(body["name"])]
        say(*[first.replace(verdict, paint(verdict, state_look(verdict), "bold"), 1), *rest], *_lines(found))
    return 0 if body["verdict"] in WELL and _reachable(body["checks"]) and failing(found) is None else 1


def _lines(found: list[Hop]) -> Iterator[str]:
    """A table of the hops; the first that fails has its mend below."""
    paint, first = style(sys.stdout), failing(found)
    rows = [(each.verdict, each.hop, _time(each), each.seen) for each in found]
    shown = table(rows, look=lambda column, cell: cell if column else paint(cell, LOOKS[cell.strip()]))
    yield ""
    for each, line in zip(found, shown, strict=True):
        yield f"{'>' if each is first else ' '} {line}"
        if each.mend and (each is first or each.verdict == "warning"):
            yield f"{'':11}mend: {clean(each.mend)}"


def _time(hop: Hop) -> str:
    return "" if hop.ms is None else f"{hop.ms:.1f} ms"


def _reachable(checks: list[dict[str, object]]) -> bool:
    """A pool is reachable when one of its targets is; nothing checked is nothing against it."""
    return not checks or any(each["reachable"] for each in checks)
