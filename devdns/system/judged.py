"""The journal of `devdns system`, each entry of which is judged whenever it is read: root carries out what a file of a user's says."""

from __future__ import annotations

from pathlib import Path

from devdns.system import facts, files
from devdns.system.journal import Entry, Journal
from devdns.system.steps import Step, Write, refuse_strange

NAME = "system.journal"


def journal(state_dir: Path) -> Journal[Step]:
    """The journal of this state folder; raises `DevdnsError` when it is broken or names what devdns never changes."""
    owner = facts.owner(state_dir)

    def check(entry: Entry[Step]) -> None:
        refuse_strange(entry.step, entry.before, str(state_dir), owner)
        if entry.before.link and isinstance(entry.step, Write) and entry.step.user is None:
            files.refuse_open_link(Path(entry.step.path), entry.before.link, owner[0])

    return Journal[Step](state_dir / NAME, Step, check)
