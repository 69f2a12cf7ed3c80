"""`devdns chaos NAME`: faults on purpose, to see what a stack makes of a slow or failing service. They end by themselves."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from devdns.cli.client import Client, chaos_path
from devdns.cli.complete import names
from devdns.cli.options import common, json_option, option
from devdns.cli.show import Row, print_json
from devdns.cli.text import clean, duration, say, style
from devdns.core.errors import UsageRefused


@click.command(short_help="Make a service slow or faulty on purpose, for a while.")
@click.argument("name", required=False, shell_complete=names)
@option(
    "--latency", metavar="TIME", envvar="DEVDNS_CHAOS_LATENCY", help="Delay each request that gets through, like 300ms."
)
@option("--error", metavar="SHARE", envvar="DEVDNS_CHAOS_ERROR", help="Answer a share of requests with 503, like 5%.")
@option(
    "--reset", metavar="SHARE", envvar="DEVDNS_CHAOS_RESET", help="Cut the connection of a share of requests, like 1%."
)
@option(
    "--flap",
    metavar="TIME",
    envvar="DEVDNS_CHAOS_FLAP",
    help="Up for so long, then down for as long, and so on, like 10s.",
)
@option("--for", metavar="TIME", envvar="DEVDNS_CHAOS_FOR", help="When it ends by itself.  [default: 60s]")
@option("--off", is_flag=True, envvar="DEVDNS_CHAOS_OFF", help="End it now.")
@json_option
@common
def chaos(
    name: str | None,
    *,
    state_dir: Path,
    config: Path | None,  # noqa: ARG001 - -c is understood by every command
    as_json: bool,
    **wanted: Any,
) -> None:
    """Let requests to NAME meet faults for a while; without NAME, list what is in force."""
    off, faults = wanted.pop("off"), {key: value for key, value in wanted.items() if value}
    client = Client(state_dir)
    if name is None:
        if faults or off:
            raise UsageRefused("no NAME is given", f"devdns chaos NAME --{'off' if off else 'latency 300ms'}")
        _list(client, as_json=as_json)
    elif off:
        body = client.ask("DELETE", chaos_path(name))
        _tell(body, f"{clean(body['removed'])} has no faults any more", as_json=as_json)
    else:
        body = client.ask("PUT", chaos_path(name), faults)
        _tell(body, chaos_line(body["chaos"]), as_json=as_json)


def _list(client: Client, *, as_json: bool) -> None:
    body = client.ask("GET", "/api/v1/chaos")
    lines = [chaos_line(row) for row in body["chaos"]]
    _tell(body, *(lines or ["no faults are in force"]), as_json=as_json)


def _tell(body: Row, *lines: str, as_json: bool) -> None:
    if as_json:
        print_json(body)
    else:
        say(*lines)


def chaos_line(row: Row) -> str:
    """One route and its faults."""
    paint = style(sys.stdout)
    return f"{paint('chaos', 'yellow')}  {clean(row['name'])}: {clean(row['faults'])}, for {duration(row['left'])} more"
