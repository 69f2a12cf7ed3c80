"""What the machine was like when the bench was started: enough to judge the figures, nothing that names a person."""

from __future__ import annotations

import os
import platform
import secrets
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from devdns import __version__


class Session(Struct, frozen=True):
    """One start of the bench. `git`: the commit of the source tree, with `+` where it was changed; empty outside a checkout."""

    session: str
    at: float
    argv: list[str]
    seed: int
    cpu: str
    cores: int
    governor: str
    memory: int
    kernel: str
    system: str
    python: str
    devdns: str
    git: str
    load: tuple[float, float, float]
    peers: dict[str, str]


def capture(argv: Sequence[str], seed: int, peers: dict[str, str]) -> Session:
    """Now. `peers`: name -> version, or the reason why it is missing."""
    return Session(
        session=secrets.token_hex(4),
        at=round(time.time(), 3),
        argv=[*argv],
        seed=seed,
        cpu=_field("/proc/cpuinfo", "model name") or platform.processor(),
        cores=os.cpu_count() or 1,
        governor=_text("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor") or "unknown",
        memory=int((_field("/proc/meminfo", "MemTotal") or "0").split()[0]) * 1024,
        kernel=platform.release(),
        system=_field("/etc/os-release", "PRETTY_NAME", "=").strip('"'),
        python=sys.version.split()[0],
        devdns=__version__,
        git=_git(),
        load=os.getloadavg(),
        peers=peers,
    )


def _text(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""


def _field(path: str, name: str, mark: str = ":") -> str:
    rows = (line.partition(mark) for line in _text(path).splitlines())
    return next((value.strip() for key, _, value in rows if key.strip() == name), "")


def _git() -> str:
    folder = Path(__file__).parents[2]
    if not (folder / ".git").exists():
        return ""
    said = [_asked(folder, "rev-parse", "HEAD"), _asked(folder, "status", "--porcelain")]
    return said[0] + ("+" if said[1] else "")


def _asked(folder: Path, *words: str) -> str:
    try:
        done = subprocess.run(["git", *words], cwd=folder, capture_output=True, text=True, check=False)  # noqa: S603, S607 - fixed words
    except OSError:
        return ""
    return done.stdout.strip()
