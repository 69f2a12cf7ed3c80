"""Node and the npm packages of `tests/parts/node`: as `.ci/node` has installed them, or the test skips with the line that does."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from support.source import ROOT

NODE = ROOT / ".cache" / "node" / "node"
MODULES = ROOT / ".cache" / "node" / "node_modules"
BOUND = 60


def need_node() -> None:
    """Skips unless Node and the packages are here."""
    if not NODE.exists() or not MODULES.is_dir():
        pytest.skip("Node or its packages are missing: make parts")


def node(script: Path, *arguments: str) -> object:
    """What a script prints as JSON."""
    need_node()
    ran = subprocess.run(
        [str(NODE), str(script), *arguments],
        env={**os.environ, "NODE_PATH": str(MODULES)}, capture_output=True, text=True, timeout=BOUND, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)
