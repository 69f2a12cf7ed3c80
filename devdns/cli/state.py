"""The state folder as the command sees it: where it is, who runs there, and making it.

The running supervisor holds a lock on `supervisor.lock` and keeps `supervisor.json`; both are only looked at here.
"""

from __future__ import annotations

import fcntl
import json
import os
import pwd
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from devdns.core.errors import UsageRefused
from devdns.core.plain_file import read_regular
from devdns.state_folder import refuse_foreign

LOCK = "supervisor.lock"
RECORD = "supervisor.json"
LOG = Path("log", "devdns.log")
INSTALLED = "installed.json"
MAY_BE_INSTALLED = ("DEVDNS_DNS", "DEVDNS_DNS_FORWARD")
#: What other commands put there before the first `devdns up`.
EARLY = (LOG.parts[0], LOCK, "system.journal", INSTALLED)
PRIVATE = 0o700
MEND = "give another one with --state-dir DIR"


def default_state_dir(environ: Mapping[str, str] = os.environ, euid: int | None = None) -> Path:
    """`$XDG_STATE_HOME/devdns`; under sudo the folder of who called it, whose later commands must find the sockets."""
    if base := environ.get("XDG_STATE_HOME"):
        return Path(base, "devdns")
    caller = environ.get("SUDO_UID", "")
    if (os.geteuid() if euid is None else euid) == 0 and caller.isdecimal() and int(caller):
        return Path(_passwd_home(int(caller)), ".local", "state", "devdns")
    return Path.home() / ".local" / "state" / "devdns"


def _passwd_home(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_dir
    except (KeyError, OverflowError):
        raise UsageRefused(f"SUDO_UID is '{uid}', which is no user here", MEND) from None


def here() -> Path:
    """The working directory; raises `UsageRefused` when it was removed under us."""
    try:
        return Path.cwd()
    except FileNotFoundError:
        raise UsageRefused("the working directory is gone", "go to another one with cd") from None


def prepare(path: Path) -> None:
    """Makes the folder, for its user alone; raises `UsageRefused` when that is not permitted."""
    try:
        for missing in [each for each in (*reversed(path.parents), path) if not each.is_dir()]:
            missing.mkdir(PRIVATE, exist_ok=True)
            hand_over(missing)
        refuse_foreign(path)
        _check_ours(path)
        if path.stat().st_uid == os.geteuid() and path.stat().st_mode & 0o077:
            path.chmod(PRIVATE)
    except OSError as error:
        where = "" if error.filename == str(path) else f" at {str(error.filename)!r}"
        why = "not a folder" if isinstance(error, FileExistsError) else error.strerror
        raise UsageRefused(f"state folder {str(path)!r} cannot be made{where}: {why}", MEND) from None
    if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
        raise UsageRefused(f"state folder {str(path)!r} belongs to user {_user(path)!r} and is not writable", MEND)


def _check_ours(path: Path) -> None:
    """Raises `UsageRefused` for a folder with other things in it: it would be closed to others, and root's be given away.

    Another `devdns up` may be at work in it: that makes the log first, then the lock, then the rest. `.NAME.` is how the
    new text of a file begins that a run was killed in writing.
    """
    unfinished = tuple(f".{name}." for name in EARLY)
    strange = [each for each in path.iterdir() if each.name not in EARLY and not each.name.startswith(unfinished)]
    if strange and not (path / LOCK).exists():
        raise UsageRefused(f"state folder {str(path)!r} holds other things", "give an empty one with --state-dir DIR")


def _user(path: Path) -> str:
    try:
        return path.owner()
    except KeyError:
        return str(path.stat().st_uid)


def hand_over(path: Path) -> None:
    """What sudo makes in the caller's home is the caller's, or their next command could not use it."""
    uid, gid = os.environ.get("SUDO_UID", ""), os.environ.get("SUDO_GID", "")
    if os.geteuid() == 0 and uid.isdigit() and gid.isdigit() and path.is_relative_to(_home(int(uid))):
        os.chown(path, int(uid), int(gid), follow_symlinks=False)


def hand_over_tree(folder: Path) -> None:
    """What sudo makes in a folder of the caller's is the caller's, all that is in it, too; no link is followed."""
    uid, gid = os.environ.get("SUDO_UID", ""), os.environ.get("SUDO_GID", "")
    if os.geteuid() or not (uid.isdecimal() and gid.isdecimal()):
        return
    if folder.absolute().parent.stat().st_uid == int(uid):
        for path in (folder, *folder.rglob("*")):
            os.chown(path, int(uid), int(gid), follow_symlinks=False)


def _home(uid: int) -> Path:
    try:
        return Path(pwd.getpwuid(uid).pw_dir)
    except (KeyError, OverflowError):
        return Path("/nonexistent")


def is_running(state_dir: Path) -> bool:
    """True while a supervisor holds the lock of the folder."""
    try:
        lock = os.open(state_dir / LOCK, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(lock)
    return False


def record(state_dir: Path) -> dict[str, Any]:
    """What the supervisor wrote about itself; empty when it did not yet, or cannot be read."""
    try:
        found = json.loads(read_regular(state_dir / RECORD))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def installed(state_dir: Path) -> dict[str, str]:
    """The variables that `devdns system install` set for this machine's resolver; none where nothing is installed."""
    try:
        found = json.loads(read_regular(state_dir / INSTALLED))
    except (OSError, ValueError, RecursionError):
        return {}
    rows = found.items() if isinstance(found, dict) else ()
    return {key: value for key, value in rows if key in MAY_BE_INSTALLED and isinstance(value, str)}


def is_devdns(pid: int) -> bool:
    """False when the process is certainly not ours: a record may outlive its writer and the id be used again."""
    try:
        words = Path("/proc", str(pid), "cmdline").read_bytes().split(b"\0")
    except OSError:
        return not Path("/proc/self").exists()  # no /proc (macOS): nothing can be said
    return any(word.startswith(b"devdns.") or word.rpartition(b"/")[2] == b"devdns" for word in words)
