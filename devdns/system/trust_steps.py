"""Trusting a CA in a store, as a step of a plan: which steps a machine needs, what stands in their way, and how they read."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from typing import Literal

from msgspec import Struct

from devdns.system import keychain, nss, windows
from devdns.system.certificate import Certificate
from devdns.system.trust import Trust
from devdns.system.trust_stores import FOLDERS, MACOS, NSS, PROGRAMS, WINDOWS, Store, install_line

Kind = Literal["debian", "fedora", "macos", "windows", "firefox", "chromium"]


class Anchor(Struct, frozen=True, tag="anchor"):
    """A CA trusted in one store. The certificate itself is kept: it is needed to take it back when its file is gone."""

    kind: Kind
    place: str
    certificate: Certificate

    @property
    def key(self) -> str:
        return f"{self.kind} {self.place} {self.certificate.name}"

    @property
    def store(self) -> Store:
        return Store(self.kind, self.place)


class Wish(Struct, frozen=True):
    """What a plan has for one store. `hindrance` is why it cannot be done now, with `mend` as the way to it."""

    trust: Trust
    step: Anchor
    hindrance: str = ""
    mend: str = ""

    @property
    def open(self) -> bool:
        """True where there is something to do, and nothing in its way."""
        return self.trust.answer != "trusted" and not self.hindrance


class Means(Struct, frozen=True):
    """What this run has to work with: programs that are here, installers of the machine, and whether it is root.

    `again` is the command line that does the same as root.
    """

    programs: frozenset[str]
    installers: tuple[str, ...]
    root: bool
    again: str


def wishes(trusts: Iterable[Trust], certificate: Certificate, means: Means) -> tuple[Wish, ...]:
    """One wish for each store, in the order of the stores."""
    return tuple(
        Wish(trust, anchor(trust.store, certificate), *hindrance(trust.store, means, done=trust.answer == "trusted"))
        for trust in trusts
    )


def anchor(store: Store, certificate: Certificate) -> Anchor:
    """The step for a store."""
    kind: Kind = store.kind  # type: ignore[assignment] # the kinds of stores are those of the steps
    return Anchor(kind, store.place, certificate)


def hindrance(store: Store, means: Means, *, done: bool = False) -> tuple[str, str]:
    """Why a store cannot be changed now and what helps, both empty where it can, or where it is `done` already."""
    program = PROGRAMS[store.kind]
    if done:
        return "", ""
    if program not in means.programs:
        return f"{program} is missing", install_line(program, means.installers)
    if store.needs_root and not means.root:
        return "needs root", means.again
    return "", ""


def lines(step: Anchor, *, present: bool = True) -> tuple[str, ...]:
    """What the step does, as commands that a person could give."""
    return tuple(map(shlex.join, _adding(step, present=present)))


def _adding(step: Anchor, *, present: bool) -> tuple[tuple[str, ...], ...]:
    if step.kind in NSS:
        made = () if present else nss.create(step.place)
        return (*made, (*nss.add(step.place, step.certificate.name), "-i", "ca.pem"))
    if step.kind == MACOS:
        return keychain.add("ca.pem")
    if step.kind == WINDOWS:
        return windows.add("ca.pem")
    return (("cp", "ca.pem", anchor_path(step)), (FOLDERS[step.kind].program,))


def taking(step: Anchor) -> tuple[str, ...]:
    """What taking it back does, as commands that a person could give."""
    name = step.certificate.name
    if step.kind in NSS:
        return (shlex.join(nss.delete(step.place, name)),)
    if step.kind == MACOS:
        return tuple(map(shlex.join, keychain.remove("ca.pem", step.certificate.thumbprint)))
    if step.kind == WINDOWS:
        return tuple(map(shlex.join, windows.remove(step.certificate.thumbprint)))
    return tuple(map(shlex.join, (("rm", anchor_path(step)), (FOLDERS[step.kind].program,))))


def anchor_path(step: Anchor) -> str:
    """The file of our CA in a system store of files."""
    folders = FOLDERS[step.kind]
    return f"{folders.anchors}/{step.certificate.name}{folders.suffix}"
