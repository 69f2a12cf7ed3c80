"""Trusting in all stores and taking it back: the journals, the order, and one store's failure never another's.

There are two journals in the state folder: what root did to the machine's own store, and what needed no root. So a user
never has to touch what root did, and root does both.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from msgspec import Struct

from devdns.core.errors import DevdnsError
from devdns.system.carry import Carrier
from devdns.system.certificate import Certificate
from devdns.system.journal import Entry, Journal, State
from devdns.system.trust_hands import TrustHands
from devdns.system.trust_steps import Anchor, anchor
from devdns.system.trust_stores import Store

JOURNALS = {False: "trust.json", True: "trust-system.json"}


class Outcome(Struct, frozen=True):
    """How a step ended: `failure` is why it did not, in one line."""

    step: Anchor
    failure: str = ""


def journal(state_dir: Path, *, root: bool) -> Journal[Anchor]:
    """The journal of the steps that need root, or of those that do not; raises `JournalBroken`."""
    return Journal(state_dir / JOURNALS[root], Anchor)


def known(state_dir: Path) -> tuple[Entry[Anchor], ...]:
    """Everything that the journals say was begun and not taken back."""
    return tuple(entry for root in JOURNALS for entry in journal(state_dir, root=root).entries)


def astray(
    entries: Iterable[Entry[Anchor]], stores: Iterable[Store], certificate: Certificate, hands: TrustHands
) -> tuple[Entry[Anchor], ...]:
    """Where our CA is under our name and no journal knows of it, as when the state folder was made anew."""
    keys = {entry.step.key for entry in entries}
    steps = [anchor(store, certificate) for store in stores]
    return tuple(
        Entry(step, "done", State(), "", certificate.fingerprint)
        for step in steps
        if step.key not in keys and _is_there(step, hands)
    )


def _is_there(step: Anchor, hands: TrustHands) -> bool:
    try:
        return hands.look(step).digest == hands.aim(step)
    except DevdnsError:
        return False  # what cannot be read is not known to be ours


class TrustCarrier(Carrier[Anchor]):
    """Step by step: what one store refuses is told of that store, and the next one has its turn."""

    def trust(self, steps: Sequence[Anchor]) -> list[Outcome]:
        """Trusts in each; what an earlier run began is finished."""
        return [self._tried(step) for step in steps]

    def _tried(self, step: Anchor) -> Outcome:
        try:
            self._do(step)
        except DevdnsError as error:
            return Outcome(step, str(error))
        return Outcome(step)

    def untrust(self, entries: Sequence[Entry[Anchor]]) -> list[Outcome]:
        """Takes each back; a certificate that somebody put in the place of ours stays."""
        return [self._taken(entry) for entry in entries]

    def _taken(self, entry: Entry[Anchor]) -> Outcome:
        try:
            foreign = self.is_foreign(entry, self._hands.look(entry.step))
            self.take_back([entry], keep=True)
        except DevdnsError as error:
            return Outcome(entry.step, str(error))
        return Outcome(entry.step, "somebody put another certificate in its place, which stays" if foreign else "")


def trust(state_dir: Path, steps: Sequence[Anchor], hands: TrustHands) -> list[Outcome]:
    """Carries the steps out under the journals' lock; one outcome for each. Raises `DevdnsError` where that is held."""
    done = []
    for root in JOURNALS:
        mine = [step for step in steps if step.store.needs_root is root]
        book = journal(state_dir, root=root)
        if mine:
            with book.held():
                done += TrustCarrier(book, hands, _unsaid).trust(mine)
    return done


def untrust(state_dir: Path, entries: Sequence[Entry[Anchor]], hands: TrustHands) -> list[Outcome]:
    """Takes the entries back under the journals' lock; one outcome for each. Raises `DevdnsError` where that is held."""
    done = []
    for root in JOURNALS:
        mine = [entry for entry in entries if entry.step.store.needs_root is root]
        book = journal(state_dir, root=root)
        if mine:
            with book.held():
                done += TrustCarrier(book, hands, _unsaid).untrust(mine)
    return done


def _unsaid(_: str) -> None:
    """What was done is told by looking at the stores afterwards."""
