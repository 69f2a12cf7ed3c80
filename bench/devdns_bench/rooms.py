"""A room: mount, network and process namespaces for one run, with files of its own where a peer would change the machine's.

Seen from outside it is a process; whatever it leaves behind, daemons and mounts too, ends with it, and it ends with the bench
even if that is killed. Seen from inside it is a machine with ports 53 and 80 free, a home, a project folder, and Docker on demand.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

#: Private to the room: a tmpfs over /run, so that the Docker socket stands where everybody looks for it.
INSIDE = Path("/run/room")
HOME = INSIDE / "home"
PROJECT = HOME / "project"
HOSTS, RESOLV = Path("/etc/hosts"), Path("/etc/resolv.conf")
TRUSTED = Path("/usr/local/share/ca-certificates")
NEEDS = ("unshare", "setpriv", "ip", "mount")
LOCAL = "127.0.0.1 localhost\n::1 localhost\n"
#: PID 1 of a room must reap what daemons leave; a shell that waits does.
INIT = ("sh", "-c", '"$@"; exit $?', "sh")


def why_not() -> str:
    """The reason why this machine has no rooms, or nothing."""
    missing = [program for program in NEEDS if not shutil.which(program)]
    if missing:
        return f"{', '.join(missing)} not installed"
    if sys.platform != "linux" or os.geteuid() != 0:
        return "needs root on Linux, for namespaces of its own"
    tried = subprocess.run(entering(["true"]), capture_output=True, text=True, check=False)  # noqa: S603 - our own command line
    return f"no namespaces here: {tried.stderr.strip()[-200:]}" if tried.returncode else ""


def entering(command: Sequence[str]) -> list[str]:
    """The command that runs `command` in a new room; killing its process ends the room, and so does the death of its parent."""
    enter = ("unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc")
    return ["setpriv", "--pdeathsig", "KILL", *enter, *INIT, *command]


def furnish() -> None:
    """Inside, first of all: loopback, private /run, hosts, resolv.conf, trust store and home."""
    _do("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run")
    PROJECT.mkdir(parents=True)
    if TRUSTED.is_dir():
        _do("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", str(TRUSTED))
    for path, text in ((HOSTS, LOCAL), (RESOLV, "")):
        copy = INSIDE / path.name
        copy.write_text(text)
        _do("mount", "--bind", str(copy), str(path.resolve()) if path.resolve().exists() else str(path))
    _do("ip", "link", "set", "lo", "up")
    os.environ.update(HOME=str(HOME), XDG_STATE_HOME=str(HOME / ".local/state"), LC_ALL="C.UTF-8")
    for name in [name for name in os.environ if name.startswith(("DEVDNS_", "SUDO_", "DOCKER_", "PORTLESS_"))]:
        del os.environ[name]


def state() -> dict[str, str]:
    """What a peer could leave behind: path -> digest of the files that count, process -> its command."""
    found = {str(path): _digest(path) for path in (HOSTS, RESOLV)}
    for folder in (HOME, TRUSTED):
        found |= {
            str(path): _digest(path) for path in folder.rglob("*") if path.is_file() and PROJECT not in path.parents
        }
    return found | {f"process {name}": "" for name in _processes()}


def residue(before: dict[str, str], after: dict[str, str]) -> list[str]:
    """What is there that was not, or is changed, by name."""
    return sorted(name for name, digest in after.items() if before.get(name) != digest)


def _processes() -> list[str]:
    own, here = {1, os.getpid()}, Path("/proc/self/ns/mnt").readlink()
    names = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) not in own:
            try:
                words, mounts = (entry / "cmdline").read_bytes().split(b"\0"), (entry / "ns/mnt").readlink()
            except OSError:
                continue  # ended meanwhile
            contained = mounts != here or b"docker" in words[0] or b"containerd" in words[0]
            if words[0] and not contained:
                names.append(os.fsdecode(Path(os.fsdecode(words[0])).name))
    return names


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _do(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)  # noqa: S603 - our own fixed commands
