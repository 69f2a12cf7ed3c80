"""The foreign parts a test needs: found on this machine, or the test skips with the reason and the line that installs it."""

import os
import shutil
from pathlib import Path

import pytest

PARTS = Path(__file__).parents[1] / "parts"
PACKAGES = PARTS / "packages.txt"
EVIDENCE = PARTS / "packages_evidence.txt"


def packages() -> dict[str, str]:
    """Program -> the Debian package that brings it, as the tables in `tests/parts` say."""
    lines = [*PACKAGES.read_text().splitlines(), *EVIDENCE.read_text().splitlines()]
    rows = [line.partition("#")[0].split() for line in lines]
    return {program: row[0] for row in rows for program in row[1:]}


def need(*programs: str) -> None:
    """Skips unless every program is on PATH. Each must stand in the table, so that `make test` can install it."""
    table = packages()
    unknown = [program for program in programs if program not in table]
    assert not unknown, f"no package is named for {unknown} in {PACKAGES.name}"
    missing = [program for program in programs if not shutil.which(program)]
    if missing:
        install = " ".join(dict.fromkeys(table[program] for program in missing))
        pytest.skip(f"{', '.join(missing)} missing: sudo apt-get install {install}")


def need_root(why: str) -> None:
    """Skips unless root: namespaces, low ports and a Docker Engine of our own need it."""
    if os.geteuid() != 0:
        pytest.skip(f"needs root, for {why}: sudo make test")
