"""What `trust` and `untrust` have before them: whose browsers, which stores, which programs, and whether this is root."""

from __future__ import annotations

import os
import pwd
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from devdns.state_folder import NOBODY, User, sudo_caller
from devdns.system.trust_find import found, program
from devdns.system.trust_hands import TrustHands
from devdns.system.trust_steps import Anchor, Means, hindrance
from devdns.system.trust_stores import INSTALLERS, PROGRAMS, Store


@dataclass(frozen=True)
class Machine:
    """What one run of a command sees of the machine."""

    state_dir: Path
    stores: tuple[Store, ...]
    means: Means
    hands: TrustHands

    def hindrance(self, step: Anchor) -> str:
        """Why a step cannot be taken back by this run, with the way to it; empty where it can."""
        return " - ".join(each for each in hindrance(step.store, self.means) if each)


def machine(state_dir: Path, command: str, environ: Mapping[str, str]) -> Machine:
    """What `devdns COMMAND` sees of the machine."""
    user = _user(state_dir, environ)
    home = Path(pwd.getpwuid(user[0]).pw_dir) if user else Path.home()
    means = Means(
        programs=frozenset(each for each in PROGRAMS.values() if program(each, environ)),
        installers=tuple(each for each in INSTALLERS if program(each, environ)),
        root=os.geteuid() == 0,
        again=shlex.join(["sudo", *_called(), command, "--yes", "--state-dir", str(state_dir)]),
    )
    return Machine(state_dir, found(home, environ), means, TrustHands(user))


def _user(state_dir: Path, environ: Mapping[str, str]) -> User | None:
    """Whose home is meant, where root does it: who called sudo, else the owner of the state folder; None is root's own.

    A folder that `up` made as root belongs to nobody, who has no browsers.
    """
    if os.geteuid() != 0:
        return None
    if caller := sudo_caller(environ):
        return caller
    try:
        owner = state_dir.stat()
        pwd.getpwuid(owner.st_uid)
    except (OSError, KeyError):
        return None
    return (owner.st_uid, owner.st_gid) if owner.st_uid not in (0, NOBODY) else None


def _called() -> list[str]:
    """How this command is called by its full path: sudo has a path of its own."""
    called = Path(sys.argv[0])
    return [str(called.absolute())] if called.name == "devdns" else [sys.executable, "-P", "-m", "devdns.cli.main"]
