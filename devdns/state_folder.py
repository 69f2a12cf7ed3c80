"""The state folder as its holder uses it: the lock, the record, the Unix sockets, and whose they are.

Started as root, the folder and everything in it belong to the unprivileged user of the children. Root must not follow what
lies in such a folder: files are made and removed while acting as that user, whose rights are all that a planted link could
use. The folder is the working directory, so that names are relative. Standard library only.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pwd
import socket
import stat
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from devdns.core.errors import UsageRefused
from devdns.core.plain_file import read_regular
from devdns.listeners import bind_unix

NOBODY = 65534
LAST_ID = 2**32 - 2  # the last one means none
LOCK, RECORD = "supervisor.lock", "supervisor.json"
JOURNAL = "system.journal"
SOCKETS = ("control", "snapshots", "leaves", "web")
LOCK_BOUND = 0.2  # a command that looks whether one runs holds the lock for an instant
MEND = "give another one with --state-dir DIR"
User = tuple[int, int]


class Held(UsageRefused):
    """Another devdns runs with this state folder."""


class StateFolder:
    """The working directory, held by this process until `release`. `user` is (uid, gid) when root, else None.

    Raises `UsageRefused` when the folder is somebody else's, `Held` when another devdns holds it.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        refuse_foreign(Path())
        self.user = user_of(environ, Path())
        hand_over(Path(), self.user)
        with self.acting():
            self._lock = hold_lock()

    @contextlib.contextmanager
    def acting(self) -> Iterator[None]:
        """What the block does to files, it does as the folder's user."""
        if self.user is None or os.geteuid() != 0:
            yield
            return
        groups = os.getgroups()
        os.setgroups([])
        os.setegid(self.user[1])
        os.seteuid(self.user[0])
        try:
            yield
        finally:
            os.seteuid(0)
            os.setegid(0)
            os.setgroups(groups)

    def bind(self) -> list[tuple[str, socket.socket]]:
        """The listening Unix sockets by name."""
        with self.acting():
            return [(name, bind_unix(f"{name}.sock")) for name in SOCKETS]

    def record(self, text: str) -> None:
        """Replaces `supervisor.json`, whole or not at all; a full disk costs the record, not the stack."""
        with self.acting(), contextlib.suppress(OSError):
            fresh = Path(f".{RECORD}.{os.getpid()}")
            fresh.unlink(missing_ok=True)
            descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644)
            with open(descriptor, "w", encoding="utf-8") as file:  # noqa: PTH123 - a descriptor, not a path
                file.write(text)
            fresh.replace(RECORD)

    def keeps_hosts(self) -> bool:
        """Whether `devdns system install` put a block into the hosts file that root is to keep in step."""
        if self.user is None:
            return False
        with self.acting():
            try:
                entries = json.loads(read_regular(Path(JOURNAL)))["entries"]
                return any(each["step"]["type"] == "block" for each in entries)
            except (OSError, ValueError, LookupError, TypeError, RecursionError):
                return False

    def release(self) -> None:
        """Takes the sockets and the record away and lets the lock go."""
        with self.acting():
            for name in (RECORD, *(f"{each}.sock" for each in SOCKETS)):
                with contextlib.suppress(OSError):
                    Path(name).unlink()
        os.close(self._lock)


def user_of(environ: Mapping[str, str], folder: Path) -> User | None:
    """Who called sudo, else the folder's owner, else nobody; None when this is not root.

    Raises `UsageRefused` for a folder that belongs to neither root nor who called sudo.
    """
    if os.geteuid() != 0:
        return None
    caller, found = sudo_caller(environ), folder.stat()
    if caller is None:
        return (found.st_uid, own_group(found.st_uid, found.st_gid)) if found.st_uid else (NOBODY, NOBODY)
    if found.st_uid not in (0, caller[0]):
        raise UsageRefused(f"state folder {str(folder.resolve())!r} belongs to uid {found.st_uid}", MEND)
    return caller


def sudo_caller(environ: Mapping[str, str]) -> User | None:
    """Who called sudo, None when nobody did (root itself is nobody here); raises `UsageRefused` for what sudo never says."""
    numbers = []
    for variable in ("SUDO_UID", "SUDO_GID"):
        said = environ.get(variable) or "0"
        if not (said.isascii() and said.isdigit() and int(said) <= LAST_ID):
            raise UsageRefused(f"{variable} is {said!r}, which is no number of a user or group", f"unset {variable}")
        numbers.append(int(said))
    uid, gid = numbers
    return (uid, own_group(uid, gid)) if uid else None


def own_group(uid: int, gid: int) -> int:
    """The group to run as: never root's, in whose stead the user's primary one is taken."""
    if gid:
        return gid
    try:
        return pwd.getpwuid(uid).pw_gid or NOBODY
    except KeyError:
        return NOBODY


def refuse_foreign(folder: Path) -> None:
    """Raises `UsageRefused` for a folder where somebody else may put a socket or a token in the place of ours.

    Root may use the folder of another user, as that user, unless yet others may write there.
    """
    found, us = folder.stat(), os.geteuid()
    if found.st_uid == us:
        return
    if us:
        raise UsageRefused(f"state folder {str(folder.resolve())!r} belongs to uid {found.st_uid}", MEND)
    if found.st_mode & 0o022:
        raise UsageRefused(f"state folder {str(folder.resolve())!r} can be written by others", MEND)


def hand_over(folder: Path, to: User | None) -> None:
    """Gives a state folder that is root's, and the plain files in it, to its user.

    While it is root's and closed to others nobody can plant anything in it; a file that has a second name is left alone.
    """
    found = folder.stat()
    if to is None or found.st_uid != 0 or found.st_mode & 0o022:
        return
    for path in folder.iterdir():
        entry = path.lstat()
        if stat.S_ISDIR(entry.st_mode) or (stat.S_ISREG(entry.st_mode) and entry.st_nlink == 1):
            os.chown(path, *to, follow_symlinks=False)
    os.chown(folder, *to)


def hold_lock() -> int:
    """The lock of the working directory, held while the descriptor is open; raises `UsageRefused` when another holds it."""
    try:
        lock = os.open(LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        where = str(Path.cwd() / LOCK)
        raise UsageRefused(f"{where!r} cannot be opened: {error.strerror}", f"remove it, or {MEND}") from None
    until = time.monotonic() + LOCK_BOUND
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            if time.monotonic() < until:
                time.sleep(LOCK_BOUND / 20)
                continue
            os.close(lock)
            raise Held(
                f"another devdns runs with the state folder {str(Path.cwd())!r}",
                "stop it with devdns down, or give --state-dir",
            ) from None
        return lock
