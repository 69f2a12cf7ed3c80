"""What the supervisor is to run, as `devdns up` decided it, and how it hands that back. Standard library only."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from devdns.handed import VARIABLES
from devdns.listeners import Wanted

#: Variables that we set for the children; whatever stood there before means nothing.
OURS = frozenset(
    {
        f"DEVDNS_{word}"
        for word in ["PLAN", "SOCKETS", "DOORS", "SUPERVISOR", "STANDALONE", "RUN_AS", "SNAPSHOTS", "LEAVES", "WEB"]
    }
).union(VARIABLES)


@dataclass(frozen=True)
class Plan:
    """What to run, as `devdns up` decided it; arrives as JSON in `DEVDNS_PLAN`."""

    state_dir: Path
    listeners: tuple[Wanted, ...]
    workers: int = 1
    config: str | None = None
    detached: bool = False

    @classmethod
    def parse(cls, text: str) -> Plan:
        row = json.loads(text)
        wanted = tuple(Wanted.parse(each) for each in row["listeners"])
        workers, config = int(row.get("workers", 1)), row.get("config")
        return cls(Path(row["state_dir"]), wanted, workers, config, bool(row.get("detached")))


def attach(plan: Plan, environ: Mapping[str, str]) -> NoReturn:
    """Another `devdns up` was quicker: begins anew as the command, which gives our file to that one."""
    config = ("-c", plan.config) if plan.config else ()
    command = (sys.executable, "-P", "-m", "devdns.cli.main", "up", "--state-dir", str(plan.state_dir), *config)
    os.execve(sys.executable, command, {key: value for key, value in environ.items() if key not in OURS})  # noqa: S606 - no shell
