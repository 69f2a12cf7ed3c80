"""Programs of Debian packages that are only unpacked: installed, they would start a daemon and take the machine's port 53."""

import fcntl
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

CACHE = Path(__file__).parents[2] / ".cache" / "debian"
BOUND = 120


def unpacked(*packages: str) -> Path:
    """A folder with the files of these packages, fetched once; skips where there is no apt."""
    if not shutil.which("apt-get") or not shutil.which("dpkg"):
        pytest.skip(f"{', '.join(packages)} are unpacked from Debian's packages, and this is no Debian")
    root = CACHE / "+".join(packages)
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:  # tests run side by side
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not root.is_dir():
            _unpack(packages, root)
    return root


def _unpack(packages: Sequence[str], root: Path) -> None:
    fresh = root.with_name(f"{root.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir()
    subprocess.run(["apt-get", "-q", "download", *packages], cwd=fresh, check=True, timeout=BOUND)
    for package in fresh.glob("*.deb"):
        subprocess.run(["dpkg", "-x", package, fresh], check=True, timeout=BOUND)
        package.unlink()
    fresh.rename(root)
