"""Carries out the steps of a plan and takes them back, with a journal, so that no instant of death leaves a machine half changed.

What a step means is the business of its `Hands`; here is only the order of writing, doing and comparing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Generic, Protocol, TypeVar

import msgspec

from devdns.core.errors import DevdnsError
from devdns.system.journal import Entry, Journal, State, Step

S = TypeVar("S", bound=Step)
T_contra = TypeVar("T_contra", bound=Step, contravariant=True)
Tell = Callable[[str], None]


class Hands(Protocol[T_contra]):
    """What does the steps of a kind of plan. `apply` and `undo` may be told twice to do what is done already."""

    def look(self, step: T_contra) -> State:
        """What is at the step's place now."""

    def aim(self, step: T_contra) -> str:
        """The digest of what will be there."""

    def apply(self, step: T_contra, before: State) -> None: ...

    def undo(self, step: T_contra, before: State) -> None: ...

    def differ(self, step: T_contra, now: State) -> str:
        """How what is there now differs from what the step made, as a unified diff."""


class ForeignChange(DevdnsError):
    """Somebody changed what we had written. `differences` is a unified diff for each such place."""

    def __init__(self, places: Sequence[str], differences: Sequence[str]) -> None:
        named = ", ".join(places)
        super().__init__(
            f"changed by somebody else since devdns wrote it: {named}", "put back what is yours, or --keep"
        )
        self.differences = tuple(differences)


class Carrier(Generic[S]):
    """Does and undoes inside `journal.held()`. `tell` hears a line for everything that was done."""

    def __init__(self, journal: Journal[S], hands: Hands[S], tell: Tell) -> None:
        self._journal = journal
        self._hands = hands
        self._tell = tell

    def carry_out(self, steps: Sequence[S]) -> None:
        """Makes the machine as these steps say; what an older plan did and this one does not is taken back first.

        Raises `ForeignChange`, with nothing done, when somebody changed what we had written.
        """
        wanted = {step.key for step in steps}
        self._refuse_foreign(self._journal.entries)
        self.take_back([each for each in self._journal.entries if each.step.key not in wanted])
        for step in steps:
            self._do(step)

    def take_back(self, entries: Iterable[Entry[S]], *, keep: bool = False) -> None:
        """Undoes these entries, the last one first. With `keep` what somebody changed stays as it is, and is forgotten.

        Raises `ForeignChange`, with nothing undone, when somebody changed what we had written.
        """
        entries = list(entries)
        if not keep:
            self._refuse_foreign(entries)
        for entry in reversed(entries):
            if keep and self.is_foreign(entry, self._hands.look(entry.step)):
                self._tell(f"left     {entry.step.key}, which somebody else changed")
            else:
                self._undo(entry)
            self._journal.forget(entry.step.key)

    def is_foreign(self, entry: Entry[S], now: State) -> bool:
        """Whether what is there is neither what was before nor what we made."""
        return now.digest not in {entry.before.digest, entry.was, entry.after}

    def _refuse_foreign(self, entries: Iterable[Entry[S]]) -> None:
        seen = [(each, self._hands.look(each.step)) for each in entries]
        foreign = [(entry, now) for entry, now in seen if self.is_foreign(entry, now)]
        if foreign:
            places = [entry.step.key for entry, _ in foreign]
            raise ForeignChange(places, [self._hands.differ(entry.step, now) for entry, now in foreign])

    def _do(self, step: S) -> None:
        now, known = self._hands.look(step), self._journal.entry(step.key)
        after = self._hands.aim(step)
        if known is not None and known.phase == "done" and known.step == step and now.digest == after:
            self._tell(f"stands   {step.key}")
            return
        entry = Entry(step, "doing", known.before if known else now, now.digest, after)
        self._journal.put(entry)
        self._hands.apply(step, entry.before)
        self._journal.put(msgspec.structs.replace(entry, phase="done"))
        self._tell(f"done     {step.key}")

    def _undo(self, entry: Entry[S]) -> None:
        self._journal.put(msgspec.structs.replace(entry, phase="undoing"))
        self._hands.undo(entry.step, entry.before)
        self._tell(f"undone   {entry.step.key}")
