"""Trusts a CA in a store and takes it back: the files and the programs. What belongs to a user is touched as that user."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from devdns.core.errors import DevdnsError
from devdns.system import keychain, nss, windows
from devdns.system.anchors import held, place_anchor, remove_anchor
from devdns.system.certificate import Certificate, spoken
from devdns.system.journal import State, digest
from devdns.system.programs import User, alone, run
from devdns.system.trust import trusted
from devdns.system.trust_steps import Anchor
from devdns.system.trust_stores import MACOS, NSS, SYSTEM, WINDOWS


class TrustHands:
    """`user` is whose browsers these are, where this is root."""

    def __init__(self, user: User | None = None) -> None:
        self._user = user

    def look(self, step: Anchor) -> State:
        """The fingerprint of our CA where it is under its name; of what is there in its stead; empty where nothing is."""
        if step.kind in NSS:
            return self._look_nss(step)
        if step.kind in SYSTEM:
            return State(held(step))
        there = trusted(step.store, step.certificate)
        if there.answer == "unknown":
            raise DevdnsError(f"{step.store.label} cannot be read: {there.reason}")
        return State(step.certificate.fingerprint if there.answer == "trusted" else "")

    def _look_nss(self, step: Anchor) -> State:
        folder = Path(step.place)
        if not (folder / nss.CERTS).is_file():
            return State(folders=tuple(str(each) for each in (folder.parent, folder) if not each.is_dir()))
        try:
            under = [each.der for each in nss.entries(folder) if each.nickname == step.certificate.name]
        except nss.Unreadable as error:
            raise DevdnsError(str(error)) from None
        if step.certificate.der in under:
            return State(step.certificate.fingerprint)
        return State(digest(under[0]) if under else "")

    def aim(self, step: Anchor) -> str:
        """The fingerprint of our CA."""
        return step.certificate.fingerprint

    def apply(self, step: Anchor, _: State) -> None:
        """Trusts the CA; raises `DevdnsError` where the store or its program does not let us."""
        if step.kind in NSS:
            self._add_nss(step)
        elif step.kind in SYSTEM:
            place_anchor(step)
        else:
            with _file(step.certificate) as file:
                for command in keychain.add(file) if step.kind == MACOS else windows.add(_windows_path(file)):
                    run(command)

    def _add_nss(self, step: Anchor) -> None:
        with alone(_beyond(step)) as lock:
            if not (Path(step.place) / nss.CERTS).is_file():
                for command in nss.create(step.place):
                    run(command, user=self._user, lock=lock)
            run(nss.add(step.place, step.certificate.name), user=self._user, stdin=step.certificate.pem, lock=lock)

    def undo(self, step: Anchor, before: State) -> None:
        """Takes our CA out, and nothing else; a store that we made and nobody else used goes, too."""
        if step.kind in NSS:
            self._remove_nss(step, before)
        elif step.kind in SYSTEM:
            remove_anchor(step)
        elif self.look(step).digest:
            with _file(step.certificate) as file:
                for command in _removal(step, file):
                    run(command)

    def _remove_nss(self, step: Anchor, before: State) -> None:
        folder = Path(step.place)
        with alone(_beyond(step)) as lock:
            if self._look_nss(step).digest == self.aim(step):
                run(nss.delete(step.place, step.certificate.name), user=self._user, lock=lock)
            if step.place in before.folders and _unused(folder):
                files = [str(folder / name) for name in (nss.CERTS, nss.KEYS, nss.MODULES)]
                run(("rm", "-f", *files), user=self._user, lock=lock)
                for made in filter(_is_folder, reversed(before.folders)):
                    run(("rmdir", "--ignore-fail-on-non-empty", made), user=self._user, lock=lock)

    def differ(self, step: Anchor, now: State) -> str:
        """Which certificate is there in the place of ours."""
        return f"{step.key}: not {spoken(self.aim(step))}, but {spoken(now.digest)}"


def _beyond(step: Anchor) -> Path:
    """The nearest folder that is there whether a store was made or not."""
    return Path(step.place).parents[1]


def _is_folder(path: str) -> bool:
    return Path(path).is_dir()


def _unused(folder: Path) -> bool:
    """True for a store with nothing in it, its files half made included."""
    if not (folder / nss.CERTS).is_file():
        return folder.is_dir()
    try:
        return nss.is_empty(folder)
    except nss.Unreadable:
        return False


def _removal(step: Anchor, file: str) -> tuple[tuple[str, ...], ...]:
    if step.kind == WINDOWS:
        return windows.remove(step.certificate.thumbprint)
    return keychain.remove(file, step.certificate.thumbprint)


@contextmanager
def _file(certificate: Certificate) -> Iterator[str]:
    """The certificate as a file, for programs that read no other way; nobody else can change it meanwhile."""
    with tempfile.NamedTemporaryFile(prefix="devdns-", suffix=".pem") as file:
        file.write(certificate.pem)
        file.flush()
        yield file.name


def _windows_path(file: str) -> str:
    return run(windows.path(file)).strip()
