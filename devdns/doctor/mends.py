"""The repairs of `devdns doctor --fix`: as a plan that can be shown, and one by one. What is not in it needs a hand."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterable
from pathlib import Path

from msgspec import Struct

from devdns.core.errors import DevdnsError
from devdns.doctor.around import JOURNAL, KEY
from devdns.doctor.findings import Finding
from devdns.doctor.running import LEFTOVERS, RESTART
from devdns.system.carry import Carrier
from devdns.system.journal import Entry
from devdns.system.judged import journal
from devdns.system.machine import Machine
from devdns.system.steps import Step, needs_root

Tell = Callable[[str], None]
PRIVATE = 0o600


class Mend(Struct, frozen=True):
    """One repair: what will be done, in words; `hindrance` says why this run cannot."""

    fix: str
    text: str
    hindrance: str = ""


class Place(Struct, frozen=True):
    """Where repairs are made: the state folder, the files of a dead devdns in it, and how to start another."""

    state_dir: Path
    leftovers: tuple[str, ...]
    restart: Callable[[], int]


def plan(findings: Iterable[Finding], place: Place) -> list[Mend]:
    """What can be repaired, each once, in the order of the findings."""
    fixes = dict.fromkeys(each.fix for each in findings if each.fix)
    return [mend for fix in fixes for mend in _planned(fix, place)]


def _planned(fix: str, place: Place) -> list[Mend]:
    files = f"remove {', '.join(place.leftovers)} from {place.state_dir}"
    if fix == LEFTOVERS:
        return [Mend(fix, files)]
    if fix == RESTART:
        return [Mend(fix, f"{files}, and start devdns again in the background")]
    if fix == KEY:
        return [Mend(fix, f"chmod 600 {place.state_dir / 'ca.key'}")]
    root = os.geteuid() == 0
    return [
        Mend(
            fix,
            f"{'forget' if _is_gone(entry) else 'take back'} {entry.step.key}",
            "" if root or _is_gone(entry) or not needs_root(entry.step) else "it needs root",
        )
        for entry in _stale(place)
    ]


def apply(mends: Iterable[Mend], place: Place, tell: Tell) -> None:
    """Makes the repairs that are not hindered; raises `DevdnsError`."""
    for fix in dict.fromkeys(each.fix for each in mends if not each.hindrance):
        try:
            _apply(fix, place, tell)
        except OSError as error:
            raise DevdnsError(f"{error.filename!r} cannot be mended: {error.strerror}") from None


def _apply(fix: str, place: Place, tell: Tell) -> None:
    if fix in (LEFTOVERS, RESTART):
        for name in place.leftovers:
            (place.state_dir / name).unlink(missing_ok=True)
        if fix == RESTART and place.restart():
            raise DevdnsError("devdns did not start again", "devdns up says why")
    elif fix == KEY:
        close(place.state_dir / "ca.key")
    elif fix == JOURNAL:
        _settle(place, tell)


def close(path: Path) -> None:
    """Leaves a plain file to its owner alone; a link there leads root to anybody's file, and is not followed. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1:
            raise OSError(errno.EINVAL, "not a plain file", str(path))
        os.fchmod(descriptor, PRIVATE)
    finally:
        os.close(descriptor)


def _settle(place: Place, tell: Tell) -> None:
    """Forgets what is as before already, and takes back what a run that was cut off left half done."""
    book = journal(place.state_dir)
    with book.held():
        carrier = Carrier(book, Machine(tell), tell)
        for entry in _stale(place):
            if _is_gone(entry):
                book.forget(entry.step.key)
                tell(f"forgot   {entry.step.key}")
            elif os.geteuid() == 0 or not needs_root(entry.step):
                carrier.take_back([entry])


def _stale(place: Place) -> list[Entry[Step]]:
    """Entries whose change is half done, or is not there any more."""
    return [each for each in journal(place.state_dir).entries if each.phase != "done" or _is_gone(each)]


def _is_gone(entry: Entry[Step]) -> bool:
    """True where the machine is as it was before: there is nothing to take back."""
    try:
        now = Machine(lambda _: None).look(entry.step)
    except DevdnsError:
        return False
    return entry.phase == "done" and now.digest == entry.before.digest != entry.after
