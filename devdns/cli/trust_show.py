"""How stores and what is done to them look: lines for people, rows for JSON."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from devdns.cli.text import clean, style, table
from devdns.system.certificate import Certificate, spoken
from devdns.system.journal import Entry
from devdns.system.trust_steps import Anchor, Wish, lines, taking
from devdns.system.trust_stores import NSS

CA = "ca.pem"
LOOKS = {"trusted": "green", "removed": "green", "not trusted": "yellow", "unknown": "yellow", "stays": "yellow"}


def ca_lines(certificate: Certificate, state_dir: Path) -> list[str]:
    """Which CA it is about."""
    return [f"CA {clean(state_dir / CA)}", f"SHA-256 {spoken(certificate.fingerprint)}"]


def plan_lines(plan: Iterable[Wish], old: Sequence[Entry[Anchor]]) -> list[str]:
    """What is to be done, store by store."""
    said: list[str] = []
    for entry in old:
        said += [f"{clean(entry.step.store.label)}: an older CA of devdns", *_commands(taking(entry.step))]
    for wish in plan:
        store = wish.trust.store
        if wish.open:
            said += [clean(store.label), *_commands(lines(wish.step, present=store.present))]
        elif wish.hindrance:
            said.append(clean(f"{store.label}: {wish.hindrance} - {wish.mend}"))
    return said


def _commands(commands: Iterable[str]) -> list[str]:
    return [f"  {clean(command)}" for command in commands]


def trust_lines(plan: Sequence[Wish], failures: Mapping[str, str]) -> list[str]:
    """What each store makes of the CA now, and why."""
    paint = style(sys.stdout)
    rows = [(wish.trust.answer, clean(wish.trust.store.label), clean(_why(wish, failures))) for wish in plan]
    said = table(rows, look=lambda column, cell: cell if column else paint(cell, LOOKS[cell.strip()]))
    if any(wish.trust.answer == "trusted" and wish.trust.store.kind in NSS for wish in plan):
        said.append("a browser that runs reads it when it is started anew")
    return said


def _why(wish: Wish, failures: Mapping[str, str]) -> str:
    told = failures.get(wish.step.key) or wish.trust.reason
    return told or " - ".join(each for each in (wish.hindrance, wish.mend) if each)


def store_row(wish: Wish, failure: str) -> dict[str, Any]:
    """A store in JSON."""
    store = wish.trust.store
    return {
        "kind": store.kind,
        "place": store.place,
        "label": store.label,
        "state": wish.trust.answer,
        "reason": failure or wish.hindrance or wish.trust.reason,
        "mend": wish.mend,
        "commands": list(lines(wish.step, present=store.present)) if wish.trust.answer != "trusted" else [],
    }


def removal_lines(entries: Iterable[Entry[Anchor]], hindered: Mapping[str, str]) -> list[str]:
    """What is to be taken back."""
    said: list[str] = []
    for entry in entries:
        if why := hindered.get(entry.step.key):
            said.append(clean(f"{entry.step.store.label}: {why}"))
        else:
            said += [clean(entry.step.store.label), *_commands(taking(entry.step))]
    return said


def removed_lines(entries: Iterable[Entry[Anchor]], failures: Mapping[str, str]) -> list[str]:
    """What became of each."""
    paint = style(sys.stdout)
    rows = [
        (
            "stays" if entry.step.key in failures else "removed",
            clean(entry.step.store.label),
            clean(failures.get(entry.step.key, "")),
        )
        for entry in entries
    ]
    return table(rows, look=lambda column, cell: cell if column else paint(cell, LOOKS[cell.strip()]))


def removal_row(step: Anchor, failure: str, *, dry_run: bool) -> dict[str, Any]:
    """A store that is to forget our CA, in JSON."""
    return {
        "kind": step.kind,
        "place": step.place,
        "label": step.store.label,
        "state": "trusted" if failure or dry_run else "removed",
        "reason": failure,
        "commands": list(taking(step)),
    }
