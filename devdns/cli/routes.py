"""`devdns routes`: the table of names, and with `--watch` every change of it as it happens."""

from __future__ import annotations

import contextlib
import json
import sys
import time
from pathlib import Path
from typing import NoReturn

import click

from devdns.cli.client import Body, Client
from devdns.cli.options import common, json_option, option
from devdns.cli.show import conflict_lines, print_json, refusal_lines, route_lines, source_text, target_text
from devdns.cli.text import clean, say, state_look, style

RECONNECT_SECONDS = 0.2


@click.command()
@option("--watch", is_flag=True, help="Stay, and print every change.")
@json_option
@common
def routes(*, state_dir: Path, config: Path | None, watch: bool, as_json: bool) -> None:  # noqa: ARG001 - -c is understood by every command
    """List the names, where they go and who says so."""
    client = Client(state_dir)
    if watch:
        with contextlib.suppress(KeyboardInterrupt):  # the way to end it
            _watch(client, as_json=as_json)
    elif as_json:
        print_json(client.ask("GET", "/api/v1/routes"))
    else:
        _show(client.ask("GET", "/api/v1/routes"))


def _show(body: Body) -> None:
    lines = [*route_lines(body["routes"]), *conflict_lines(body["conflicts"]), *refusal_lines(body["refusals"])]
    say(*lines or ["no routes yet - add one with devdns add NAME PORT"])


def _watch(client: Client, *, as_json: bool) -> NoReturn:
    """Follows the event stream; when control restarts it asks again and goes on."""
    while True:
        for event, body in client.events("/api/v1/routes/events"):
            if as_json:
                say(json.dumps({"event": event} | body))
            elif event == "table":
                _show(body)
            elif event == "change":
                _show_change(body)
        time.sleep(RECONNECT_SECONDS)


def _show_change(body: Body) -> None:
    paint = style(sys.stdout)
    now = paint(time.strftime("%H:%M:%S"), "dim")
    for name in body["removed"]:
        say(f"{now} {paint('-', 'red')} {clean(name)}")
    for row in body["added"]:
        state = paint(clean(row["state"]), state_look(row["state"]))
        reason = f" ({clean(row['reason'])})" if row.get("reason") else ""
        say(
            f"{now} {paint('+', 'green')} {clean(row.get('url') or row['name'])}  {clean(target_text(row['targets']))}"
            f"  {state}{reason}  {clean(source_text(row))}",
        )
