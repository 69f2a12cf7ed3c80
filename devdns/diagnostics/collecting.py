"""Reads what a bundle is made of from the disk and from git. A file that may not be read, or is a secret, is named and left out."""

from __future__ import annotations

import os
import platform
import stat
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from devdns.core.errors import UsageRefused
from devdns.core.plain_file import read_regular
from devdns.diagnostics.parts import Part

#: Files of the state folder that say how it is; nothing else of it is read.
STATE = (
    "supervisor.json",
    "routes.json",
    "attached.json",
    "addresses.json",
    "installed.json",
    "system.journal",
    "history.jsonl",
)
SECRETS = ("ca.key", "token")
LAST = "last"
LOGS = ("log/devdns.log",)
GIT = {
    "commit": ("rev-parse", "HEAD"),
    "branch": ("rev-parse", "--abbrev-ref", "HEAD"),
    "date": ("log", "-1", "--format=%cI"),
    "remote": ("config", "--get", "remote.origin.url"),
}
#: What a repository's own settings could make git run.
SAFE = ("-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "-c", "core.pager=cat")
SECONDS = 5.0
MOST = 64 << 20


def versions(version: str) -> Part:
    """What runs this command, and on what."""
    lines = (
        f"devdns {version}",
        f"python {sys.version}",
        f"system {platform.system()} {platform.release()} {platform.machine()}",
    )
    return Part("versions", "versions.txt", "".join(f"{line}\n" for line in lines))


def state(folder: Path) -> Iterator[Part]:
    """Snapshots of what is kept."""
    names = [*STATE, *(f"{LAST}/{each.name}" for each in _inside(folder / LAST))]
    for name in names:
        yield from _read("state", f"state/{name}", folder / name, folder)


def logs(folder: Path) -> Iterator[Part]:
    """The log."""
    for name in LOGS:
        yield from _read("logs", name, folder / name, folder)


def permissions(folder: Path) -> Part:
    """A line for each file: mode, owner, size, name."""
    return Part("permissions", "permissions.txt", "".join(map(_line, [folder, *_inside(folder)])))


def config(path: Path | None, environ: Mapping[str, str]) -> Iterator[Part]:
    """The file as it is, and the variables that count."""
    said = "".join(f"{key}={value}\n" for key, value in sorted(environ.items()) if key.startswith("DEVDNS_"))
    yield Part("config", "variables.txt", said)
    if path:
        yield from _read("config", "devdns.yml", path, path.parent)


def git(folder: Path) -> Part:
    """The project's commit, branch, date and remote, as far as git tells."""
    return Part("git", "git.txt", "".join(f"{key} {_asked(folder, words)}\n" for key, words in GIT.items()))


def files(paths: Iterable[Path], state_dir: Path) -> Iterator[Part]:
    """Files from elsewhere, which the user named; raises `UsageRefused` for a secret of ours, and for what cannot be read."""
    for number, path in enumerate(paths, 1):
        for secret in (state_dir / each for each in SECRETS):
            if secret.exists() and path.exists() and secret.samefile(path):
                raise UsageRefused(f"{str(path)!r} is a secret of devdns", "it is never put into a bundle")
        try:
            text = read_regular(path, MOST).decode("utf-8", "replace")
        except OSError as error:
            raise UsageRefused(f"--file {str(path)!r} cannot be read: {error.strerror}") from None
        yield Part("files", f"files/{number}-{path.name}", text)


def _read(component: str, name: str, path: Path, folder: Path) -> Iterator[Part]:
    """Only a plain file of the folder's own owner: what somebody else put there, or linked to, is not passed on."""
    try:
        entry, owner = path.lstat(), folder.stat().st_uid
        if not stat.S_ISREG(entry.st_mode) or entry.st_uid not in (owner, os.geteuid()):
            yield Part(component, f"{name}.left-out", "not a plain file of the folder's owner\n")
            return
        yield Part(component, name, read_regular(path, MOST).decode("utf-8", "replace"))
    except FileNotFoundError:
        return
    except OSError as error:
        yield Part(component, f"{name}.left-out", f"{error.strerror}\n")


def _line(path: Path) -> str:
    try:
        entry = path.lstat()
    except OSError as error:
        return f"{path.name}: {error.strerror}\n"
    return f"{stat.filemode(entry.st_mode)} {entry.st_uid}:{entry.st_gid} {entry.st_size:>10} {path.name}\n"


def _inside(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def _asked(folder: Path, words: tuple[str, ...]) -> str:
    try:
        done = subprocess.run(  # noqa: S603 - no shell; the words are ours
            ["git", *SAFE, "-C", str(folder), *words],  # noqa: S607 - as the user has it
            capture_output=True,
            text=True,
            errors="replace",
            timeout=SECONDS,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    return " ".join(done.stdout.split()) if done.returncode == 0 else "unknown"
