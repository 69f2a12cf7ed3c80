"""Runs `system_killer.py` in a room of its own."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from support.room import room

PROGRAM = Path(__file__).with_name("system_killer.py")


def killed(kills: int, seed: int, bound: float = 100.0) -> dict[str, int]:
    """What became of so many killed runs; raises AssertionError where one left the machine neither as before nor installed."""
    with room() as machine:
        path = f"{PROGRAM.parents[1]}:{PROGRAM.parents[2]}"
        done = machine.run(sys.executable, str(PROGRAM), str(kills), str(seed), bound=bound, PYTHONPATH=path)
        assert done.returncode == 0, done.stderr
        counts: dict[str, int] = json.loads(done.stdout)
        return counts
