"""`devdns explain NAME|URL`: why a name goes where it goes. Exit code 1 when it goes nowhere."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from devdns.cli.client import Client, explain_path
from devdns.cli.complete import names
from devdns.cli.options import common, json_option
from devdns.cli.show import print_json
from devdns.cli.text import clean, say, state_look, style

WELL = ("live", "own")


@click.command(short_help="Say why a name leads where it does, or why it does not.")
@click.argument("name", metavar="NAME|URL", shell_complete=names)
@json_option
@common
def explain(name: str, *, state_dir: Path, config: Path | None, as_json: bool) -> int:  # noqa: ARG001 - -c is understood by every command
    """Say where NAME leads, who says so, whether it answers, and what else claimed it."""
    body = Client(state_dir).ask("GET", explain_path(name))
    if as_json:
        print_json(body)
    else:
        paint, verdict = style(sys.stdout), clean(body["verdict"])
        first, *rest = [clean(line) for line in body["lines"]] or [clean(body["name"])]
        say(*[first.replace(verdict, paint(verdict, state_look(verdict), "bold"), 1), *rest])
    return 0 if body["verdict"] in WELL and _reachable(body["checks"]) else 1


def _reachable(checks: list[dict[str, object]]) -> bool:
    """A pool is reachable when one of its targets is; nothing checked is nothing against it."""
    return not checks or any(each["reachable"] for each in checks)
