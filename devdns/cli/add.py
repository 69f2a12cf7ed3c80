"""`devdns add NAME TARGET...`: a manual route, the strongest kind; kept until `devdns rm`. What it beats is told."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from devdns.cli.client import Client, route_path
from devdns.cli.options import common, json_option, option
from devdns.cli.show import Row, conflict_lines, print_json, target_text
from devdns.cli.state import here
from devdns.cli.text import clean, say, style

#: What names of elsewhere end in, so that whoever types one hardly means a name below a zone; `api.shop` is one.
ELSEWHERE = frozenset(["com", "org", "net", "io", "dev", "app", "local", "lan", "home", "internal", "test", "example"])


@click.command(short_help="Let a name lead to a port, host:port, URL or unix:/path.")
@click.argument("name")
@click.argument("targets", nargs=-1, required=True, metavar="TARGET...")
@option("--strip", is_flag=True, help="Take the path prefix off before the request goes on.")
@option("--host", "host", metavar="HOST[:PORT]", envvar="DEVDNS_ROUTE_HOST", help="The Host the service is sent.")
@option("--health", metavar="/PATH", help="Where the service says that it is well.")
@option("--interval", metavar="TIME", help="How often it is asked there, like 10s.")
@option(
    "--hold",
    metavar="TIME",
    envvar="DEVDNS_ROUTE_HOLD",
    help="How long a request waits for a service that starts, like 15s.",
)
@option("--timeout", metavar="TIME", help="How long the service may take, like 60s.")
@option("--no-verify", is_flag=True, help="Do not check the certificate of an https service.")
@option(
    "--ca", type=click.Path(path_type=Path), metavar="FILE", help="The CA that signed it, in place of the system's."
)
@option("--redirect", is_flag=True, help="Send who comes without TLS to https.")
@json_option
@common
def add(
    name: str,
    targets: tuple[str, ...],
    *,
    state_dir: Path,
    config: Path | None,  # noqa: ARG001 - -c is understood by every command
    as_json: bool,
    **options: Any,
) -> int:
    """Let NAME lead to TARGET: a port, host:port, URL or unix:/path; several are a pool."""
    no_verify, ca = options.pop("no_verify"), options.pop("ca")
    row = {key: value for key, value in options.items() if value}
    row |= {"verify": False} if no_verify else {}
    row |= {"ca": str(here() / ca)} if ca else {}
    body = Client(state_dir).ask("PUT", route_path(name), {"target": _plain(targets)} | row)
    conflicts = [body["conflict"]] if body.get("conflict") else []
    if as_json:
        print_json(body)
    else:
        route, paint = body["route"], style(sys.stdout)
        say(
            f"{paint(clean(route['url']), 'bold')}  {clean(target_text(route['targets']))}",
            *_notes(name, route),
            *conflict_lines(conflicts),
        )
    return 1 if any(each["winner"]["source"] != "manual" for each in conflicts) else 0


def _notes(name: str, route: Row) -> list[str]:
    """What may not be what was meant: a name that looks whole and got a zone, a CA file that is not there."""
    asked, ca = name.partition("/")[0].rstrip("."), route["options"].get("ca")
    zoned = asked.rpartition(".")[2].lower() in ELSEWHERE and len(route["host"]) > len(asked)
    lines = [f"note  {clean(asked)} is in no zone of this devdns: the name is {clean(route['host'])}"] if zoned else []
    return lines + ([f"note  the CA file {clean(ca)} is not there yet"] if ca and not Path(ca).is_file() else [])


def _plain(targets: tuple[str, ...]) -> str | list[str]:
    return targets[0] if len(targets) == 1 else list(targets)
