"""The line that installs one of the extras into the environment that runs this."""

from __future__ import annotations

import sys
from pathlib import Path


def install_line(extra: str) -> str:
    """In place (`-e`) from a checkout, when this is one: a copy would take the place of what is worked on there."""
    root = Path(__file__).parents[2]
    what = f"-e '{root}[{extra}]'" if (root / "pyproject.toml").exists() else f"'devdns-stack[{extra}]'"
    return f"{sys.executable} -m pip install {what}"
