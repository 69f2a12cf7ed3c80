"""The programs of the approaches: where each is, its version, or why it is missing; and their installation into one folder.

What is told in peers.toml is not repeated here.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path

import msgspec
from msgspec import Struct

MANIFEST = Path(__file__).with_name("peers.toml")
#: Below the install folder: where each way of installing puts programs.
BINS = ("bin", "py/bin", "npm/node_modules/.bin")
INSTALL = 1_800.0


class Peer(Struct, frozen=True, forbid_unknown_fields=True):
    """One entry of peers.toml."""

    version: str
    by: str
    what: str
    says: list[str]
    program: str = ""
    least: int = 0
    runs: str = ""

    @property
    def line(self) -> str:
        """The command that installs it by itself."""
        words = {"apt": "sudo apt-get install", "pypi": "pip install", "npm": "npm install", "go": "go install"}
        return f"{words[self.by]} {self.what}"


class Found(Struct, frozen=True):
    """A peer on this machine: `path` and `version`, or `reason` in their stead."""

    name: str
    path: str = ""
    version: str = ""
    reason: str = ""


def default_folder() -> Path:
    """Where `--install` puts programs when it is not told."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "devdns-bench"


def manifest() -> dict[str, Peer]:
    """Name -> entry, in the order of the file."""
    return msgspec.convert(tomllib.loads(MANIFEST.read_text()), dict[str, Peer])


def find(names: Iterable[str], folder: Path) -> dict[str, Found]:
    """Each of `names`, looked for in `folder` first, then on PATH. `devdns` is the one this bench belongs to."""
    peers = manifest()
    return {name: _ours() if name == "devdns" else _found(name, peers, folder) for name in names}


def install(folder: Path, names: Iterable[str] = ()) -> list[str]:
    """Brings `names` (all by default) into `folder` from PyPI, npm and Go; Debian's packages are named only. A line for each says how it went."""
    every = manifest()
    wanted = [every[name] for name in names or every if name in every]
    folder.mkdir(parents=True, exist_ok=True)
    said = [f"{peer.what}: {_brought(peer, folder) or 'installed'}" for peer in wanted if peer.by != "apt"]
    packages = dict.fromkeys(peer.what for peer in wanted if peer.by == "apt")
    return [*said, *([f"Debian packages, if missing: sudo apt-get install {' '.join(packages)}"] if packages else [])]


def _brought(peer: Peer, folder: Path) -> str:
    """What went wrong."""
    if peer.by == "go":
        return _run(["go", "install", peer.what], {"GOBIN": str(folder / "bin")})
    if peer.by == "npm":
        return _run(["npm", "install", "--silent", "--prefix", str(folder / "npm"), peer.what])
    python = folder / "py/bin/python"
    made = "" if python.exists() else _run([sys.executable, "-m", "venv", str(folder / "py")])
    return made or _run([str(python), "-m", "pip", "install", "--quiet", peer.what])


def _run(command: list[str], environ: dict[str, str] | None = None) -> str:
    """What went wrong, in its last line."""
    if not shutil.which(command[0]):
        return f"{command[0]} is not installed"
    try:
        done = subprocess.run(  # noqa: S603 - the commands above
            command, capture_output=True, text=True, timeout=INSTALL, check=False, env={**os.environ, **(environ or {})}
        )
    except subprocess.TimeoutExpired:
        return f"took over {INSTALL:.0f} s"
    return "" if done.returncode == 0 else (done.stderr.strip().splitlines() or ["failed"])[-1].strip()[:200]


def _ours() -> Found:
    from devdns import __version__  # noqa: PLC0415 - the one module of ours that is measured, not used

    beside = Path(sys.executable).with_name("devdns")
    path = str(beside) if beside.exists() else shutil.which("devdns")
    return (
        Found("devdns", path, __version__) if path else Found("devdns", reason="no devdns command beside this Python")
    )


def _found(name: str, peers: dict[str, Peer], folder: Path) -> Found:
    peer = peers[name]
    program = peer.program or name
    places = [*(str(folder / place) for place in BINS), os.environ.get("PATH", ""), "/usr/sbin:/sbin"]
    path = shutil.which(program, path=":".join(places))
    if path is None:
        return Found(name, reason=f"{program} not installed: {peer.line}")
    command = [path, *peer.says]
    if peer.runs:
        runner = _found(peer.runs, peers, folder)
        if runner.reason:
            return Found(name, reason=runner.reason)
        command = [runner.path, *command]
    version = _version(command)
    if peer.least and int(version.partition(".")[0] or 0) < peer.least:
        return Found(name, reason=f"{program} {version} is older than {peer.least}: {peer.line}")
    return Found(name, path, version)


def _version(command: list[str]) -> str:
    """The first thing that looks like one in what a program says of itself."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)  # noqa: S603 - from the manifest
    except (OSError, subprocess.TimeoutExpired):
        return ""
    seen = re.search(r"\d+\.\d+(\.\d+)?([-+.][0-9A-Za-z.-]+)?", done.stdout + done.stderr)
    return seen[0].rstrip(".") if seen else ""
