"""A child killed under 200 requests a second on new connections: what was refused or lost, and the longest wait."""

import os
import signal
import statistics

import dns.asyncquery
import dns.message
import pytest
from support.load import Load, fetch
from support.services import Service
from support.stack import Stack
from support.waiting import until

pytestmark = pytest.mark.evidence
RATE = 200
KILLS = 5
BACK_WITHIN = 1.0


async def ask(address):
    query = dns.message.make_query("api.dev.test", "A")
    answer = await dns.asyncquery.udp(query, address[0], port=address[1], timeout=4)
    return "ok" if "127.0.0.1" in str(answer.answer) else "wrong"


@pytest.mark.parametrize("name", ["control", "resolver", "proxy-1"])
async def test_each_child_killed_again_and_again(tmp_path, name):
    waits, lost = [], []
    with Service() as service, Stack(tmp_path, f"routes: {{api: {service.port}}}\n") as stack:
        http, resolver = stack.http, stack.dns
        for _ in range(KILLS):
            async with (
                Load(RATE, lambda: fetch(http, "api.dev.test", service.nonce)) as requests,
                Load(RATE, lambda: ask(resolver)) as names,
            ):
                await until(lambda: min(requests.counts["ok"], names.counts["ok"]) >= RATE)
                pid = stack.pid(name)
                os.kill(pid, signal.SIGKILL)
                await until(lambda: stack.running(name) and stack.pid(name) != pid)  # noqa: B023
                done = requests.counts["ok"], names.counts["ok"]
                await until(lambda: requests.counts["ok"] >= done[0] + RATE and names.counts["ok"] >= done[1] + RATE)  # noqa: B023
            waits.append(max(requests.slowest(), names.slowest()))
            lost.append({**requests.failed, **{f"dns {key}": value for key, value in names.failed.items()}})
    print(
        f"\n{name} killed x{KILLS} at {RATE}/s: longest wait {[round(1000 * each) for each in waits]} ms; lost {lost}"
    )
    assert not any("refused" in each or "misrouted" in each for each in lost)
    assert statistics.median(waits) < BACK_WITHIN
