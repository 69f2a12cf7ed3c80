"""`devdns doctor`: what is wrong between programs and names, the worst first, and what mends it. Exit code 1 for a fault."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from devdns.cli.consent import agreed
from devdns.cli.doctor_look import facts
from devdns.cli.launch import PYTHON
from devdns.cli.options import common, json_option, option
from devdns.cli.show import print_json
from devdns.cli.text import Paint, clean, say, style
from devdns.doctor.checks import findings
from devdns.doctor.facts import Facts
from devdns.doctor.findings import Finding, shape
from devdns.doctor.mends import Mend, Place, apply, plan

COLOURS = {"fault": "red", "warning": "yellow", "fine": "green"}


@click.command()
@option("--fix", is_flag=True, help="Show what can be repaired by itself, ask, and repair it.")
@option("--yes", is_flag=True, help="Do not ask.")
@json_option
@common
def doctor(*, state_dir: Path, config: Path | None, fix: bool, yes: bool, as_json: bool) -> int:
    """Find what is wrong with names on this machine."""
    seen = facts(state_dir, config)
    found = findings(seen)
    if fix:
        _mend(found, _place(seen, state_dir, config), yes=yes, quiet=as_json)
        found = findings(facts(state_dir, config))
    if as_json:
        print_json(shape(found))
    else:
        say(*_lines(found))
    return 1 if any(each.level == "fault" for each in found) else 0


def _lines(found: Sequence[Finding]) -> Iterator[str]:
    paint = style(sys.stdout)
    for each in found:
        if each.level != "fine":
            yield from _told(each, paint)
    well = [each.check for each in found if each.level == "fine"]
    if well:
        yield f"{paint('fine', 'green'):8} {', '.join(dict.fromkeys(well))}"
    faults = sum(each.level == "fault" for each in found)
    if not faults:
        yield "nothing is wrong"


def _told(finding: Finding, paint: Paint) -> Iterator[str]:
    yield f"{paint(finding.level.ljust(8), COLOURS[finding.level], 'bold')} {finding.check}: {clean(finding.seen)}"
    if finding.why:
        yield f"{'':8} why it matters: {clean(finding.why)}"
    if finding.mend:
        yield f"{'':8} what mends it: {clean(finding.mend)}"


def _place(seen: Facts, state_dir: Path, config: Path | None) -> Place:
    """How a dead devdns is started again: as `devdns up --detach` here."""
    file = ["-c", str(config)] if config else []

    def restart() -> int:
        command = [*PYTHON, "devdns.cli.main", "up", "--detach", "--state-dir", str(state_dir), *file]
        return subprocess.run(command, env=dict(os.environ), check=False, stdout=subprocess.DEVNULL).returncode  # noqa: S603 - our own command

    return Place(state_dir, seen.daemon.leftovers, restart)


def _mend(found: Sequence[Finding], place: Place, *, yes: bool, quiet: bool) -> None:
    mends = plan(found, place)
    stream = sys.stderr if quiet else sys.stdout
    for each in mends:
        say(_planned(each), stream=stream)
    for finding in (each for each in found if each.level == "fault" and not each.fix):
        say(f"cannot   {finding.check}: {clean(finding.mend or finding.seen)}", stream=stream)
    if any(not each.hindrance for each in mends) and agreed("repair it?", yes=yes, command="devdns doctor --fix"):
        apply(mends, place, lambda line: say(clean(line), stream=stream))


def _planned(mend: Mend) -> str:
    return f"{'cannot' if mend.hindrance else 'will':8} {clean(mend.text)}" + (
        f": {mend.hindrance}" if mend.hindrance else ""
    )
