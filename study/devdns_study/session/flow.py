"""The way through a session: which step comes after which, as a pure function of the plan and of what is done."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

Kind = Literal["sheet", "form", "brief", "task", "end"]
ONCE_BEFORE, ONCE_AFTER = ("demographics",), ("debrief",)
AFTER_EACH = ("sus", "umux-lite", "nasa-tlx")


@dataclass(frozen=True, slots=True)
class Step:
    """One page: a sheet to read, a form, the brief of an approach, a task, or the end."""

    kind: Kind
    form: str
    approach: str = ""
    task: str = ""

    @property
    def key(self) -> str:
        """How the database names it, once it is done."""
        return "/".join(part for part in (self.form, self.approach, self.task) if part)


END = Step("end", "end")
CONSENT = Step("form", "consent")


def steps(order: Sequence[str], tasks: Sequence[str]) -> tuple[Step, ...]:
    """All steps of a participant who meets the approaches in this order."""
    found = [Step("sheet", "information"), CONSENT, *(Step("form", name) for name in ONCE_BEFORE)]
    for approach in order:
        found.append(Step("brief", "approach", approach))
        for task in tasks:
            found += [Step("task", "task", approach, task), Step("form", "seq", approach, task)]
        found += [Step("form", name, approach) for name in AFTER_EACH]
    return (*found, *(Step("form", name) for name in ONCE_AFTER), END)


def current(way: Sequence[Step], done: Collection[str], *, declined: bool) -> Step:
    """The first step that is not done; the end for somebody who did not agree."""
    return END if declined else next(step for step in way if step.key not in done)
