"""`devdns trust`: makes the stores of this machine trust the local CA. Exit code 1 where one of them does not, after all."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from devdns.cli.consent import agreed, consent_options
from devdns.cli.options import common, json_option
from devdns.cli.show import print_json
from devdns.cli.text import clean, say
from devdns.cli.trust_machine import Machine, machine
from devdns.cli.trust_show import CA, ca_lines, plan_lines, store_row, trust_lines
from devdns.core.errors import DevdnsError
from devdns.system import trust_carry
from devdns.system.certificate import Certificate, read
from devdns.system.journal import Entry
from devdns.system.trust import trusts
from devdns.system.trust_steps import Anchor, Wish, wishes

VERSION = 1


@click.command()
@consent_options
@json_option
@common
def trust(*, state_dir: Path, config: Path | None, dry_run: bool, yes: bool, as_json: bool) -> int:  # noqa: ARG001 - -c is understood by every command
    """Make this machine's browsers and programs trust the local CA."""
    certificate = read(state_dir / CA)
    zones = _zones(certificate, state_dir)
    here = machine(state_dir, "trust", os.environ)
    plan, old = _wishes(here, certificate), _outdated(here, certificate)
    if not plan:
        raise DevdnsError(
            "no trust store was found on this machine", f"give {state_dir / CA} to your programs yourself"
        )
    if not as_json:
        say(*ca_lines(certificate, state_dir), f"for {clean(', '.join(zones))} and below", *plan_lines(plan, old))
    failures: dict[str, str] = {}
    if not dry_run and (old or any(wish.open for wish in plan)):
        if not agreed("trust it there?", yes=yes, command="devdns trust"):
            return 1
        failures = _carry_out(here, plan, old)
        plan = _wishes(here, certificate)
    if as_json:
        print_json(_body(state_dir, certificate, plan, failures) | {"dry_run": dry_run})
    elif not dry_run:
        say(*trust_lines(plan, failures))
    return 0 if dry_run or all(wish.trust.answer == "trusted" for wish in plan) else 1


def _zones(certificate: Certificate, state_dir: Path) -> tuple[str, ...]:
    """What the CA may sign for; raises `DevdnsError` for one without our limits, whose key would stand for every name there is."""
    from devdns.control.signing.authority import zones_of_ca  # noqa: PLC0415 - a large library, for this command only

    zones = zones_of_ca(certificate.der)
    if not zones:
        raise DevdnsError(
            f"{str(state_dir / CA)!r} is no CA that devdns made: nothing limits what it may sign for",
            "remove ca.pem and ca.key there, and devdns up makes another one",
        )
    return zones


def _body(
    state_dir: Path, certificate: Certificate, plan: tuple[Wish, ...], failures: dict[str, str]
) -> dict[str, Any]:
    """The answer in JSON."""
    return {
        "version": VERSION,
        "ca": {"file": str(state_dir / CA), "sha256": certificate.fingerprint},
        "stores": [store_row(wish, failures.get(wish.step.key, "")) for wish in plan],
    }


def _wishes(here: Machine, certificate: Certificate) -> tuple[Wish, ...]:
    return wishes(trusts(here.stores, certificate), certificate, here.means)


def _outdated(here: Machine, certificate: Certificate) -> list[Entry[Anchor]]:
    """What we trusted before the CA was another one, where this run can take it back."""
    return [
        entry
        for entry in trust_carry.known(here.state_dir)
        if entry.step.certificate != certificate and not here.hindrance(entry.step)
    ]


def _carry_out(here: Machine, plan: tuple[Wish, ...], old: list[Entry[Anchor]]) -> dict[str, str]:
    """Why a step failed, by its key."""
    done = trust_carry.untrust(here.state_dir, old, here.hands)
    done += trust_carry.trust(here.state_dir, [wish.step for wish in plan if wish.open], here.hands)
    return {outcome.step.key: outcome.failure for outcome in done if outcome.failure}
