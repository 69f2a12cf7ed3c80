"""`devdns rm NAME`: takes a manual route away."""

from __future__ import annotations

from pathlib import Path

import click

from devdns.cli.client import Client, route_path
from devdns.cli.complete import manual_names
from devdns.cli.options import common, json_option
from devdns.cli.show import print_json
from devdns.cli.text import clean, say


@click.command()
@click.argument("name", shell_complete=manual_names)
@json_option
@common
def rm(name: str, *, state_dir: Path, config: Path | None, as_json: bool) -> None:  # noqa: ARG001 - -c is understood by every command
    """Remove the manual route of NAME."""
    body = Client(state_dir).ask("DELETE", route_path(name))
    if as_json:
        print_json(body)
    else:
        say(f"removed {clean(body['removed'])}")
