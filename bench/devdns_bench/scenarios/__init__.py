"""Every scenario by name, in the order of the report."""

from __future__ import annotations

from devdns_bench.scenarios.base import Scenario
from devdns_bench.scenarios.changes import Crash, DaemonRestart, PortChange, Recreate, Restart, Scale
from devdns_bench.scenarios.costs import Dns, Latency, Throughput
from devdns_bench.scenarios.degraded import Degraded
from devdns_bench.scenarios.setup import Setup
from devdns_bench.scenarios.sizes import Routes

SCENARIOS: dict[str, Scenario] = {
    each.name: each
    for each in (
        Setup(),
        Restart(),
        Recreate(),
        PortChange(),
        Scale(),
        Crash(),
        DaemonRestart(),
        Latency(),
        Throughput(),
        Dns(),
        Routes(),
        Degraded(),
    )
}
