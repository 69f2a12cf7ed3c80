"""`devdns history [NAME]`: which routes changed, when and why, and which requests failed meanwhile."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path
from urllib.parse import urlencode

import click

from devdns.cli.client import Client
from devdns.cli.complete import names
from devdns.cli.options import common, json_option, option
from devdns.cli.show import Row, print_json, target_text
from devdns.cli.text import clean, say, screen_width, state_look, style, table

HEADER = ("TIME", "NAME", "CHANGE", "TARGET", "CAUSE")


@click.command(short_help="Show what changed, when and why.")
@click.argument("name", required=False, metavar="[NAME|URL]", shell_complete=names)
@option("--since", metavar="TIME", help="How far back, like 10m; without it as far as the journal goes.")
@json_option
@common
def history(
    name: str | None,
    *,
    since: str | None,
    state_dir: Path,
    config: Path | None,  # noqa: ARG001 - -c is understood by every command
    as_json: bool,
) -> int:
    """Show the journal of changes: of all routes, or of those that answer for NAME."""
    query = {key: value for key, value in {"name": name, "since": since}.items() if value}
    body = Client(state_dir).ask("GET", "/api/v1/history" + (f"?{urlencode(query)}" if query else ""))
    if as_json:
        print_json(body)
    else:
        say(*_lines(body["entries"], name, since))
    return 0


def _lines(entries: list[Row], name: str | None = None, since: str | None = None) -> list[str]:
    if not entries:
        return [_nothing(name, since)]
    paint = style(sys.stdout)
    first, *rest = table(
        [_cells(each) for each in entries],
        HEADER,
        look=lambda column, cell: (
            paint(cell, state_look(cell.split()[-1])) if column == HEADER.index("CHANGE") else cell
        ),
        width=screen_width(sys.stdout),
        cut=(HEADER.index("TARGET"), HEADER.index("CAUSE")),
    )
    return [paint(first, "bold"), *rest]


def _nothing(name: str | None, since: str | None) -> str:
    """That there is no change, of what and since when; a name may be none."""
    of, when = f" of {clean(name)}" if name else "", f" in the last {clean(since)}" if since else ""
    doubt = f": devdns explain {clean(name)} says whether it has a route" if name else ""
    return f"nothing{of} has changed{when}{doubt}"


def _cells(entry: Row) -> tuple[str, ...]:
    """Of a time, what people here call it."""
    moment = datetime.fromisoformat(entry["time"]).astimezone()
    time = moment.strftime("%Y-%m-%d %H:%M:%S.") + f"{moment.microsecond // 1000:03}"
    if entry["kind"] == "change":
        before, after = entry["from"], entry["to"]
        return time, entry["name"], _moved(before, after), target_text((after or before)["targets"]), _why(entry)
    count = entry["count"]
    if entry["kind"] == "many":
        return time, "-", f"{count} routes", "-", entry["cause"]
    failed = f"{count} request{'s' * (count != 1)} failed"
    return time, entry["name"], failed, "-", f"{entry['reason'].removesuffix('.')}; {entry['cause']}"


def _moved(before: Row | None, after: Row | None) -> str:
    """From state to state; one that stays the same is told once."""
    states = [each["state"] if each else "gone" for each in (before, after) if each or each is after]
    return " -> ".join(dict.fromkeys(states))


def _why(entry: Row) -> str:
    """The cause, and the reason of the state where that says more."""
    cause, after = entry["cause"], entry["to"]
    reason = after["reason"] if after else ""
    return f"{cause} ({reason})" if reason and reason not in cause else cause
