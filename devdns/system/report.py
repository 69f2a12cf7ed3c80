"""What is installed and whether it still stands, and what a step does in words. Reading only; needs no root."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from msgspec import Struct

from devdns.core.errors import DevdnsError
from devdns.system.carry import Hands
from devdns.system.journal import Entry
from devdns.system.steps import Block, Enable, Load, Setting, Step, Write

VERSION = 1


class Seen(Struct, frozen=True):
    """One step of the journal. `state` is `stands`, `changed` (by somebody else), `gone`, `half` (a run was cut off) or `unknown`."""

    key: str
    kind: str
    state: str
    difference: str = ""


def look(entries: Iterable[Entry[Step]], hands: Hands[Step]) -> list[Seen]:
    """Each entry as it is found now."""
    return [_seen(entry, hands) for entry in entries]


def _seen(entry: Entry[Step], hands: Hands[Step]) -> Seen:
    kind = type(entry.step).__name__.lower()
    try:
        now = hands.look(entry.step)
    except DevdnsError as error:
        return Seen(entry.step.key, kind, "unknown", str(error))
    if entry.phase != "done":
        return Seen(entry.step.key, kind, "half", "a run was cut off here: the same command once more finishes it")
    if now.digest == entry.after:
        return Seen(entry.step.key, kind, "stands")
    return Seen(entry.step.key, kind, "changed" if now.digest else "gone", hands.differ(entry.step, now))


def as_json(seen: Iterable[Seen], resolver: str) -> dict[str, Any]:
    """The shape of `devdns system status --json`."""
    steps = [
        {"place": each.key, "kind": each.kind, "state": each.state, "difference": each.difference} for each in seen
    ]
    return {"version": VERSION, "resolver": resolver, "installed": bool(steps), "steps": steps}


def described(step: Step) -> list[str]:
    """What a step does: a line, and the text that it writes."""
    match step:
        case Write(path=path, text=text):
            return [f"write {path}", *text.splitlines()]
        case Block(path=path, names=names):
            return [f"keep a block of {len(names)} names in {path}", *names]
        case Setting(path=path, value=value):
            return [f"set {path.replace('/', '.')} to {value}"]
        case Enable(units=units):
            return [f"enable and start {' '.join(units)}"]
        case Load(plist=plist):
            return [f"load {plist}"]
