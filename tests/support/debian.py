"""Programs of Debian packages that are only unpacked: installed, they would start a daemon and take the machine's port 53."""

import shutil
import subprocess
from pathlib import Path

import pytest

CACHE = Path(__file__).parents[2] / ".cache" / "debian"
BOUND = 120


def unpacked(*packages: str) -> Path:
    """A folder with the files of these packages, fetched once; skips where there is no apt."""
    if not shutil.which("apt-get") or not shutil.which("dpkg"):
        pytest.skip(f"{', '.join(packages)} are unpacked from Debian's packages, and this is no Debian")
    root = CACHE / "+".join(packages)
    if not root.is_dir():
        fresh = root.with_name(f"{root.name}.new")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(parents=True)
        subprocess.run(["apt-get", "-q", "download", *packages], cwd=fresh, check=True, timeout=BOUND)
        for package in fresh.glob("*.deb"):
            subprocess.run(["dpkg", "-x", package, fresh], check=True, timeout=BOUND)
            package.unlink()
        fresh.rename(root)
    return root
