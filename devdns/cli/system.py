"""`devdns system install|uninstall|status`: shows the plan, asks once, carries it out or takes it back."""

from __future__ import annotations

import json
import os
import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click

from devdns.cli import state
from devdns.cli.options import common, json_option, option
from devdns.cli.settings import find_config, read_settings
from devdns.cli.system_known import known_names
from devdns.cli.text import clean, say
from devdns.core.errors import UsageRefused
from devdns.ports import holder
from devdns.system import facts, judged, report, resolvers, services
from devdns.system.carry import Carrier, ForeignChange
from devdns.system.journal import Journal
from devdns.system.machine import Machine
from devdns.system.steps import Enable, Load, Plan, Step, is_ours, needs_root

_dry_run = option("--dry-run", is_flag=True, help="Print what would be changed, and change nothing.")
_yes = option("--yes", is_flag=True, help="Do not ask.")


@click.group()
def system() -> None:
    """Set this machine up: resolver, ports, service.

    All of it can be taken back, to the byte.
    """


@system.command()
@option(
    "--resolver",
    type=click.Choice(resolvers.kinds()),
    default="auto",
    help="Which program answers this machine's names.  [default: as found]",
)
@option("--ports", type=click.Choice(services.WAYS), default="units", help="How ports below 1024 are had.")
@option(
    "--service",
    type=click.Choice(services.SERVICES),
    default="auto",
    help="When devdns starts by itself.  [default: boot, where there is systemd or launchd]",
)
@_dry_run
@_yes
@common
def install(*, state_dir: Path, config: Path | None, dry_run: bool, yes: bool, **choices: str) -> int:
    """Let every program find the names."""
    plan = _plan(state_dir, config or find_config(), **choices)
    _show(plan.steps, plan.notes, "would" if dry_run else "will")
    if dry_run:
        return 0
    _permit(plan.steps, yes=yes)
    state.prepare(state_dir)
    journal = judged.journal(state_dir)
    _refuse_others(plan.steps, journal)
    with _carrier(journal) as carrier:
        carrier.carry_out(plan.steps)
    say("installed; devdns system uninstall takes it back")
    return 0


@system.command()
@option("--keep", is_flag=True, help="Leave what somebody else changed as it is.")
@_dry_run
@_yes
@common
def uninstall(*, state_dir: Path, config: Path | None, keep: bool, dry_run: bool, yes: bool) -> int:
    """Bring back what was there before, to the byte."""
    _ = config
    journal = judged.journal(state_dir)
    if not journal.entries:
        say("nothing is installed")
        return 0
    steps = [entry.step for entry in reversed(journal.entries)]
    _show(steps, (), "would take back" if dry_run else "will take back")
    if dry_run:
        return 0
    _permit(steps, yes=yes)
    with _carrier(journal) as carrier:
        carrier.take_back(journal.entries, keep=keep)
    say("uninstalled")
    return 0


@system.command()
@json_option
@common
def status(*, state_dir: Path, config: Path | None, as_json: bool) -> int:
    """What is installed, and whether it still stands."""
    _ = config
    journal = judged.journal(state_dir)
    seen = report.look(journal.entries, Machine(_told))
    kind = resolvers.kind_of(facts.machine(_holder()))
    if as_json:
        say(json.dumps(report.as_json(seen, kind)))
    else:
        say(f"resolver {kind}", *(f"{each.state:9}{clean(each.key)}" for each in seen))
        say(*(clean(line) for each in seen for line in each.difference.splitlines()))
        if not seen:
            say("nothing is installed - devdns system install --dry-run shows what would be")
    return 0 if seen and all(each.state == "stands" for each in seen) else 1


def _plan(state_dir: Path, config: Path | None, resolver: str, ports: str, service: str) -> Plan:
    settings, _ = read_settings(config, os.environ)
    machine, person = facts.machine(_holder()), facts.person(state_dir, config)
    kind = resolvers.kind_of(machine) if resolver == "auto" else resolver
    listen = settings.dns.listen[0] if settings.dns.listen else None
    wish = resolvers.Wish(settings.zones, listen, known_names(state_dir) if kind == "hosts" else ())
    wanted = services.Ports(resolvers.address(kind, wish), settings.https.listen != (), ports)
    found = services.plan(service, wanted, machine, person)
    return resolvers.plan(kind, wish, machine, person) + found + _beside_running(state_dir, found)


def _beside_running(state_dir: Path, services_plan: Plan) -> Plan:
    """What a devdns that runs already means for a plan; raises `UsageRefused` where it is in the way of a service."""
    if not state.is_running(state_dir):
        return Plan()
    if any(isinstance(step, Enable | Load) for step in services_plan.steps):
        raise UsageRefused("devdns runs, and the service would be a second one", "devdns down, or --service off")
    return Plan(notes=("devdns runs: devdns down and up let it listen where it is asked then",))


def _holder() -> str:
    """Who answers this machine's names, if that is somebody on it."""
    server = facts.first_server()
    return (holder(server, 53, "udp") or "") if server.startswith(("127.", "::1")) else ""


def _show(steps: Sequence[Step], notes: Sequence[str], verb: str) -> None:
    for step in steps:
        first, *rest = report.described(step)
        say(f"{verb} {clean(first)}", *(f"    {clean(line)}" for line in rest))
    say(*(f"note: {clean(note)}" for note in notes))


def _permit(steps: Sequence[Step], *, yes: bool) -> None:
    """Raises `UsageRefused` where root is needed, or nobody said yes and nobody can be asked."""
    if os.geteuid() != 0 and any(map(needs_root, steps)):
        raise UsageRefused("that needs root, which devdns never takes by itself", f"sudo {_line()}")
    if yes:
        return
    if not sys.stdin.isatty():
        raise UsageRefused(
            "nobody said yes, and this is no terminal to ask at", f"devdns {shlex.join(sys.argv[1:])} --yes"
        )
    click.confirm("Go on?", abort=True)


def _refuse_others(steps: Sequence[Step], journal: Journal[Step]) -> None:
    """Raises `UsageRefused` where the devdns of another state folder is installed."""
    for step in filter(is_ours, steps):
        if journal.entry(step.key) is None and Path(step.key).exists():
            raise UsageRefused(
                f"{step.key!r} is there and not of this state folder",
                "devdns system uninstall with the --state-dir it is of, or remove it",
            )


def _line() -> str:
    """The same command once more, with `--yes`."""
    words = [each for each in sys.argv[1:] if each != "--yes"]
    return shlex.join([sys.executable, "-P", "-m", "devdns.cli.main", *words, "--yes"])


@contextmanager
def _carrier(journal: Journal[Step]) -> Iterator[Carrier[Step]]:
    """Shows the differences where somebody else was at work."""
    with journal.held():
        try:
            yield Carrier(journal, Machine(_told), _told)
        except ForeignChange as refused:
            say(*(clean(line) for each in refused.differences for line in each.splitlines()))
            raise


def _told(line: str) -> None:
    say(clean(line))
