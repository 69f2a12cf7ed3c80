"""Node and the npm packages of `tests/parts/node`: looked for here, or the test skips with the line that installs them."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from support.source import ROOT

MODULES = ROOT / ".cache" / "node" / "node_modules"
BOUND = 60


def need_node() -> None:
    """Skips unless Node and the packages are here."""
    if not shutil.which("node") or not MODULES.is_dir():
        pytest.skip("Node or its packages are missing: make parts (with npm on the PATH, or as root on Debian)")


def node(script: Path, *arguments: str) -> object:
    """What a script prints as JSON."""
    need_node()
    ran = subprocess.run(
        ["node", str(script), *arguments],
        env={**os.environ, "NODE_PATH": str(MODULES)}, capture_output=True, text=True, timeout=BOUND, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)
