"""`devdns routes`: the table of names, what could not become one, and the sources that are not well."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

import click

from devdns.cli.chaos import chaos_line
from devdns.cli.client import Body, Client
from devdns.cli.options import common, json_option, option
from devdns.cli.show import (
    closed_lines,
    conflict_lines,
    print_json,
    reason_lines,
    refusal_lines,
    route_lines,
    trouble_lines,
)
from devdns.cli.text import say, screen_width
from devdns.cli.watch import watch_lines


@click.command()
@option("--watch", is_flag=True, help="Stay, and print every change.")
@json_option
@common
def routes(*, state_dir: Path, config: Path | None, watch: bool, as_json: bool) -> None:  # noqa: ARG001 - -c is understood by every command
    """List the names, where they go and who says so."""
    client = Client(state_dir)
    if watch:
        with contextlib.suppress(KeyboardInterrupt):  # the way to end it
            for line in watch_lines(client, table_lines, as_json=as_json):
                say(line)
    elif as_json:
        print_json(client.ask("GET", "/api/v1/routes"))
    else:
        say(*table_lines(client.ask("GET", "/api/v1/routes")), *_beside(client.ask("GET", "/api/v1/status")))


def _beside(status: Body) -> list[str]:
    """What the table does not say: sources that are not well, targets that are closed, faults on purpose."""
    return [
        *trouble_lines(status["sources"]),
        *closed_lines(status["targets"]),
        *map(chaos_line, status["chaos"]),
    ]


def table_lines(body: Body) -> list[str]:
    """The body of `/routes`, for people."""
    rows = body["routes"]
    lines = [
        *route_lines(rows, width=screen_width(sys.stdout)),
        *reason_lines(rows),
        *conflict_lines(body["conflicts"]),
        *refusal_lines(body["refusals"]),
    ]
    return lines or ["no routes yet - add one with devdns add NAME PORT"]
