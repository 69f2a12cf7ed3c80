"""The bench measured by itself: alike is called alike, a planted slowdown is found, and every cell has a figure or a reason."""

from __future__ import annotations

import contextlib
import random
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest
from support.parts import need, need_root
from support.waiting import wait_until

from devdns_bench import timing
from devdns_bench.approaches import APPROACHES
from devdns_bench.environment import capture
from devdns_bench.peers import default_folder, find, install
from devdns_bench.plan import cell_key, plan, programs
from devdns_bench.probe_rows import quantile
from devdns_bench.results import Store, rows
from devdns_bench.scenarios import SCENARIOS
from devdns_bench.session import perform, split
from devdns_bench.stack import Stack
from devdns_bench.statistics.comparisons import compare

TRIALS, RUNS = 50, 12
TAKES = 0.05  # long beside what a busy machine adds
#: The same service twice, and one that is 20 % slower.
SERVICES = {"A": TAKES, "again A": TAKES, "slower": TAKES * 1.2}
pytestmark = [pytest.mark.evidence, pytest.mark.timeout(3_600)]


@contextlib.contextmanager
def _served(takes: float) -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with subprocess.Popen([*Stack.command("api-1", port), "--takes", str(takes)]) as process:
        try:
            wait_until(lambda: not socket.socket().connect_ex(("127.0.0.1", port)), what="the service")
            yield port
        finally:
            process.terminate()


async def _run(port: int) -> float:
    """One run: the median of a quarter of a second at 100 a second, from the due times."""
    phases = await timing.timed(lambda: ("127.0.0.1", port, "api"), 100, 0.25)
    return quantile(sorted(each.total for each in phases), 0.5)


@pytest.mark.filterwarnings("ignore::ResourceWarning")
async def test_alike_is_called_alike_and_a_fifth_slower_is_found():
    rng, wrong, found = random.Random(2_026), 0, 0
    with contextlib.ExitStack() as stack:
        ports = {name: stack.enter_context(_served(takes)) for name, takes in SERVICES.items()}
        for _ in range(TRIALS):
            seen: dict[str, list[float]] = {name: [] for name in ports}
            for _ in range(RUNS):
                order = [*ports]
                rng.shuffle(order)
                for name in order:
                    seen[name].append(await _run(ports[name]))
            (same,) = compare([(seen["A"], seen["again A"])], scale="log")
            (slower,) = compare([(seen["A"], seen["slower"])], scale="log")
            wrong += same.differs
            found += slower.differs
    print(f"\nA/A: no difference in {TRIALS - wrong} of {TRIALS}; 20 % slower: found in {found} of {TRIALS}")
    assert TRIALS - wrong >= 0.9 * TRIALS
    assert found >= 0.9 * TRIALS


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_approach_has_a_figure_or_a_reason(scenario, tmp_path):
    """One run in the first cell of each scenario, with every peer that can be had here."""
    need("dockerd", "docker", "busybox", "unshare", "setpriv", "ip", "mount", "wrk", "dnsperf", "nginx", "dnsmasq")
    need_root("rooms of their own")
    folder = default_folder()
    first = cell_key(SCENARIOS[scenario].cells[0])
    runs = [run for run in plan([scenario], APPROACHES, 1, 1) if run.cell == first]
    names = {name for run in runs for name in programs(run)}
    if missing := [name for name, peer in find(names, folder).items() if peer.reason]:
        print(*install(folder, missing), sep="\n")
    peers, store = find(names, folder), Store(tmp_path)
    can, absent = split(runs, peers)
    for step in perform(can, absent, store, capture(sys.argv, 1, {}), peers):
        row = step.row
        print(f"{scenario:15} {row.approach:11} {row.took:5.1f} s  {row.result.figures if row.result else row.reason}")
    made = {row.approach: row for row in rows(tmp_path)}
    assert set(made) == set(APPROACHES)
    assert all(row.result or row.reason for row in made.values())
    assert not [row.reason for row in made.values() if row.outcome == "failed"]
