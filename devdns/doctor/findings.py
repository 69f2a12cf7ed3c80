"""What a check found, as a value; the order of findings, worst first; and their JSON."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from msgspec import Struct

VERSION = 1
Level = Literal["fault", "warning", "fine"]
LEVELS: tuple[Level, ...] = ("fault", "warning", "fine")


class Finding(Struct, frozen=True):
    """One thing that was looked at: what was seen, why it matters and what mends it, the last two empty where all is well.

    `fix` names the repair that `devdns doctor --fix` has for it.
    """

    check: str
    level: Level
    seen: str
    why: str = ""
    mend: str = ""
    fix: str = ""


def fine(check: str, seen: str) -> Finding:
    """Nothing to do."""
    return Finding(check, "fine", seen)


def ranked(findings: Iterable[Finding]) -> list[Finding]:
    """The worst first; among equals in the order of the checks, which is that of cause and effect."""
    return sorted(findings, key=lambda each: LEVELS.index(each.level))


def shape(findings: Iterable[Finding]) -> dict[str, Any]:
    """The shape of `devdns doctor --json`."""
    rows = [
        {
            "check": each.check,
            "level": each.level,
            "seen": each.seen,
            "why": each.why,
            "mend": each.mend,
            "fixable": bool(each.fix),
        }
        for each in findings
    ]
    return {"version": VERSION, "well": all(row["level"] != "fault" for row in rows), "findings": rows}
