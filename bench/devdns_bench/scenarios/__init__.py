"""Every scenario by name, in the order of the report."""

from __future__ import annotations

from devdns_bench.scenarios.base import Scenario
from devdns_bench.scenarios.changes import Crash, DaemonRestart, PortChange, Recreate, Restart, Scale

SCENARIOS: dict[str, Scenario] = {
    each.name: each for each in (Restart(), Recreate(), PortChange(), Scale(), Crash(), DaemonRestart())
}
