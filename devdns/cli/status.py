"""`devdns status`: what runs, what it listens on, and how the sources of routes fare. Exit code 1 when something is wrong."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from devdns.cli.chaos import chaos_line
from devdns.cli.client import Body, Client
from devdns.cli.options import common, json_option
from devdns.cli.show import Row, address_text, closed_lines, print_json
from devdns.cli.status_tls import tls_lines
from devdns.cli.status_trust import trust_lines
from devdns.cli.text import clean, duration, say, state_look, style, table


@click.command()
@json_option
@common
def status(*, state_dir: Path, config: Path | None, as_json: bool) -> int:  # noqa: ARG001 - -c is understood by every command
    """Show whether devdns is well."""
    body = Client(state_dir).ask("GET", "/api/v1/status")
    if as_json:
        print_json(body)
    else:
        say(*_lines(body, state_dir))
    return 1 if body.get("problems") else 0


def _lines(body: Body, state_dir: Path) -> list[str]:
    paint = style(sys.stdout)
    problems = [clean(each) for each in body.get("problems", ())]
    verdict = paint("not well", "red", "bold") if problems else paint("running", "green", "bold")
    conflicts = f", {body['conflicts']} conflict{'s' * (body['conflicts'] != 1)}" if body["conflicts"] else ""
    return [
        f"devdns {clean(body['devdns'])} {verdict}, up {duration(body['uptime'])}, "
        f"{body['routes']} route{'s' * (body['routes'] != 1)}{conflicts}",
        f"zones   {clean(', '.join(body['zones']))}",
        *(
            f"{role:<7} {clean(' '.join(map(address_text, addresses)))}"
            for role, addresses in body["listeners"].items()
            if addresses
        ),
        f"network {_network(body['network'])}",
        *tls_lines(body.get("tls")),
        *(trust_lines(state_dir) if body.get("tls") else ()),
        *_block(("PROCESS", "PID", "MEMORY", "RESTARTS", "STATE"), [_process(each) for each in body["processes"]], 4),
        *_block(("SOURCE", "ROUTES", "STATE"), [_source(each) for each in body["sources"]], 2),
        *(chaos_line(each) for each in body["chaos"]),
        *closed_lines(body.get("targets", ())),
        *(f"{paint('problem', 'red')} {each}" for each in problems),
    ]


def _network(row: Row) -> str:
    """How this machine is connected; the zones' names do not depend on it, and what is forwarded does."""
    paint = style(sys.stdout)
    said = {None: "unknown", True: clean(", ".join(row["ways"])), False: paint("offline", "yellow")}[row["online"]]
    dead = [clean(each["address"]) for each in row["upstreams"] if not each["up"]]
    if row["lying"]:
        said += f", {paint('its DNS answers names that do not exist: a portal?', 'yellow')}"
    if dead:
        said += f", {paint('no answer from', 'yellow')} {', '.join(dead)}"
    elif row["upstreams"]:
        said += f", {len(row['upstreams'])} upstream{'s' * (len(row['upstreams']) != 1)} up"
    return said


def _block(header: tuple[str, ...], rows: list[tuple[str, ...]], state: int) -> list[str]:
    if not rows:
        return []
    paint = style(sys.stdout)
    first, *rest = table(
        rows, header, look=lambda column, cell: paint(cell, state_look(cell.split()[0])) if column == state else cell
    )
    return ["", paint(first, "bold"), *rest]


def _process(row: Row) -> tuple[str, ...]:
    memory = f"{row['rss'] / 1e6:.0f} MB" if row.get("rss") else "-"
    return row["name"], str(row.get("pid") or "-"), memory, str(row.get("restarts", 0)), row["state"]


def _source(row: Row) -> tuple[str, ...]:
    """Why a source is degraded stands below, as a problem."""
    said = () if row["state"] == "degraded" else (row.get("reason"), row.get("hint"))
    why = " - ".join(each for each in said if each)
    return row["source"], str(row["routes"]), row["state"] + (f" ({why})" if why else "")
