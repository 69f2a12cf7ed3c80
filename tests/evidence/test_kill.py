"""A child killed under 200 requests a second: what was refused or lost, and the longest wait."""

import asyncio
import functools
import os
import signal
import statistics
import time
from collections import Counter

import dns.asyncquery
import dns.message
import pytest
from support import apps
from support.load import Load
from support.ports import free_port
from support.processes import queued
from support.stack import Stack
from support.waiting import until

from devdns_bench.probe import Probe
from devdns_bench.probe_wire import Place

pytestmark = pytest.mark.evidence
RATE = 200
KILLS = 10
BACK_WITHIN = 1.0
PATIENCE = 20.0  # a machine that has other things to do is no loss
AT_ONCE = 0.005  # seconds in which a client may not have heard yet that its connection is gone


async def ask(address):
    query = dns.message.make_query("api.dev.test", "A")
    answer = await dns.asyncquery.udp(query, address[0], port=address[1], timeout=PATIENCE)
    return "ok" if "127.0.0.1" in str(answer.answer) else "wrong"


@pytest.fixture
def service(tmp_path):
    """(port, identity) of a backend."""
    port, stamps = free_port(), tmp_path / "stamps"
    process = apps.spawn(stamps, "blue", port)
    yield port, "blue"
    process.kill()
    process.wait()


def lost(probe, killed, gone):
    """The requests that failed though they were not in flight while the child was killed, and the outcomes of those that were.

    Until the child's process is gone (`gone`), with its sockets, the kernel takes bytes for it.
    """
    failed = [row for row in probe.rows if row.outcome != "ok"]
    since, until_then = killed - probe.began, gone - probe.began + AT_ONCE
    flying = [row for row in failed if row.sent <= until_then and row.ended >= since]
    return [row for row in failed if row not in flying], [row.outcome for row in flying]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", ["control", "resolver", "proxy-1"])
async def test_each_child_killed_again_and_again(tmp_path, name, service):
    port, identity = service
    waits, own, failed, flying, unanswered, idle = [], [], [], [], Counter(), 0
    with Stack(tmp_path, f"routes: {{api: {port}}}\n") as stack:
        place = Place(*stack.http, "api.dev.test")
        for _ in range(KILLS):
            probe = Probe(place, {identity}, rate=RATE, patience=PATIENCE)
            async with probe, Load(RATE, functools.partial(ask, stack.dns)) as names:
                killed, gone, starved = await one_kill(stack, name, probe, names)
            waits.append(max(probe.summary().slowest, names.slowest()))
            own.append(max(0.0, waits[-1] - starved))
            later, in_flight = lost(probe, killed, gone)
            failed += later
            flying += in_flight
            unanswered.update(names.failed)
            idle += probe.idle_closed
    print(
        f"\n{name} killed x{KILLS} at {RATE}/s: longest waits {sorted(round(1000 * each) for each in waits)} ms, "
        f"without waiting for a processor {sorted(round(1000 * each) for each in own)} ms; failed {failed}; "
        f"lost in flight {Counter(flying)}, names {dict(unanswered)}; idle connections closed {idle}"
    )
    assert not failed
    assert set(flying) <= {"reset", "post_written_lost", "truncated"}
    assert statistics.median(own) < BACK_WITHIN


async def one_kill(stack, name, probe, names):
    """A second of load, the kill, and a second after another child runs.

    When it was killed, and gone, by the monotonic clock; and how long the other one, while it started, and who asks meanwhile were
    ready to run and others had the processors, which is the machine's doing.
    """
    await load(probe, names, 0, 0)
    pid = stack.pid(name)
    end = asyncio.create_task(ended(os.pidfd_open(pid)))
    killed, waited = time.monotonic(), queued(os.getpid())
    os.kill(pid, signal.SIGKILL)
    gone = await end
    await until(lambda: stack.running(name) and stack.pid(name) not in (pid, None))
    starved = queued(stack.pid(name)) + queued(os.getpid()) - waited
    await load(probe, names, len(probe.rows), names.counts["ok"])
    return killed, gone, starved


async def ended(process):
    """When the process behind a pidfd is gone, by the monotonic clock."""
    loop, gone = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(process, gone.set)
    async with asyncio.timeout(PATIENCE):
        await gone.wait()
    at = time.monotonic()
    loop.remove_reader(process)
    os.close(process)
    return at


async def load(probe, names, rows, answers):
    """Waits for a second's worth of both."""
    await until(lambda: len(probe.rows) >= rows + RATE and names.counts["ok"] >= answers + RATE)
