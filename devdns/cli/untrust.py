"""`devdns untrust`: takes back exactly what `devdns trust` did. Exit code 1 where something of it stays."""

from __future__ import annotations

import os
from pathlib import Path

import click

from devdns.cli.consent import agreed, consent_options
from devdns.cli.options import common, json_option
from devdns.cli.show import print_json
from devdns.cli.text import say
from devdns.cli.trust_machine import Machine, machine
from devdns.cli.trust_show import CA, removal_lines, removal_row, removed_lines
from devdns.core.errors import DevdnsError
from devdns.system import trust_carry
from devdns.system.certificate import read
from devdns.system.journal import Entry
from devdns.system.trust_steps import Anchor

VERSION = 1


@click.command()
@consent_options
@json_option
@common
def untrust(*, state_dir: Path, config: Path | None, dry_run: bool, yes: bool, as_json: bool) -> int:  # noqa: ARG001 - -c is understood by every command
    """Take back what trust did, and nothing else."""
    here = machine(state_dir, "untrust", os.environ)
    entries = _entries(here)
    hindered = {entry.step.key: why for entry in entries if (why := here.hindrance(entry.step))}
    if not as_json:
        say(
            *removal_lines(entries, hindered)
            if entries
            else ("nothing on this machine trusts the CA because of devdns",)
        )
    failures = hindered.copy()
    able = [entry for entry in entries if entry.step.key not in hindered]
    if able and not dry_run:
        if not agreed("take it back there?", yes=yes, command="devdns untrust"):
            return 1
        done = trust_carry.untrust(state_dir, able, here.hands)
        failures |= {outcome.step.key: outcome.failure for outcome in done if outcome.failure}
    if as_json:
        rows = [removal_row(entry.step, failures.get(entry.step.key, ""), dry_run=dry_run) for entry in entries]
        print_json({"version": VERSION, "dry_run": dry_run, "stores": rows})
    elif not dry_run:
        say(*removed_lines(entries, failures))
    return 1 if failures and not dry_run else 0


def _entries(here: Machine) -> list[Entry[Anchor]]:
    """What the journals know, and where our CA is found though they do not."""
    entries = trust_carry.known(here.state_dir)
    try:
        certificate = read(here.state_dir / CA)
    except DevdnsError:
        return list(entries)
    return [*entries, *trust_carry.astray(entries, here.stores, certificate, here.hands)]
