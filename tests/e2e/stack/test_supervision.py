"""The processes: restart of what dies without a refused connection, orderly stop, privileges."""

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import dns.asyncquery
import dns.message
import pytest
from support.foreign.services import serving
from support.load import Load, fetch
from support.processes import connections, descriptors, stopped
from support.services import Service
from support.stack import COMMAND, Stack
from support.waiting import BOUND, until, wait_until
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from devdns.process.parts import DRAIN

RATE = 200
CHILDREN = ("control", "resolver", "proxy-1")


@pytest.fixture
def stack(tmp_path):
    with Service() as service, Stack(tmp_path, f"routes: {{api: {service.port}}}\n") as running:
        running.service = service
        yield running


async def a_name(stack):
    """`ok` when the resolver answers one A query with loopback."""
    query = dns.message.make_query("api.dev.test", "A")
    answer = await dns.asyncquery.udp(query, stack.dns[0], port=stack.dns[1], timeout=4)
    return "ok" if "127.0.0.1" in str(answer.answer) else "wrong"


@pytest.mark.parametrize("name", CHILDREN)
async def test_a_child_killed_under_load_refuses_nothing(stack, name):
    address, nonce = stack.http, stack.service.nonce
    async with (
        Load(RATE, lambda: fetch(address, "api.dev.test", nonce)) as http,
        Load(RATE / 4, lambda: a_name(stack)) as names,
    ):
        await until(lambda: http.counts["ok"] >= RATE / 2 and names.counts["ok"] >= RATE / 8)
        before = stack.pid(name)
        os.kill(before, signal.SIGSTOP)  # so that what it has in hand can be counted
        await until(lambda: stopped(before))
        in_flight = connections(before, address[1])
        os.kill(before, signal.SIGKILL)
        await until(lambda: stack.running(name) and stack.pid(name) != before)
        done = http.counts["ok"], names.counts["ok"]
        await until(lambda: http.counts["ok"] >= done[0] + RATE and names.counts["ok"] >= done[1] + RATE / 4)
    assert names.failed == {}
    lost = http.failed if name == "proxy-1" else {}
    assert http.failed == lost
    assert set(lost) <= {"reset", "empty", "truncated"}
    assert sum(lost.values()) <= in_flight


def test_names_and_traffic_go_on_while_control_is_down(stack):
    """Control stopped dead (not restarted: it hangs) leaves the table in force."""
    os.kill(stack.pid("control"), signal.SIGSTOP)
    try:
        assert stack.get("api.dev.test") == (200, stack.service.nonce)
        assert stack.dig("api.dev.test") == ["127.0.0.1"]
    finally:
        os.kill(stack.pid("control"), signal.SIGCONT)


def test_routes_are_the_same_after_control_was_killed(stack):
    stack.run("add", "web", str(stack.service.port), check=0)
    stack.kill("control")
    wait_until(lambda: stack.running("control"))
    names = {route["name"] for route in stack.json("routes")["routes"]}
    assert names == {"api.dev.test", "web.dev.test"}
    assert stack.get("web.dev.test") == (200, stack.service.nonce)


def test_a_stop_drains_what_is_in_flight(tmp_path, slow_service):
    with Stack(tmp_path, f"routes: {{slow: {slow_service.port}}}\n") as stack:
        exchange = slow_service.request_through(stack)
        assert slow_service.asked.wait(BOUND)
        stack.process.terminate()
        slow_service.finish.set()
        assert exchange.result(10) == (200, b"whole")
        assert stack.process.wait(10) == 0
    assert sorted(each.name for each in stack.state.glob("*.sock")) == []


def test_the_supervisor_killed_takes_its_children_along(stack):
    pids = [stack.pid(name) for name in CHILDREN]
    stack.process.kill()
    stack.process.wait()
    wait_until(lambda: not any(alive(pid) for pid in pids), what="the end of the children")
    assert not any(alive(pid) for pid in pids)


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_several_proxies_share_the_work(tmp_path):
    with Service() as service, Stack(tmp_path, f"routes: {{api: {service.port}}}\n", workers=3) as stack:
        for number in (1, 2, 3):
            assert stack.running(f"proxy-{number}")
        pids = [stack.pid(f"proxy-{number}") for number in (1, 2, 3)]
        before = [descriptors(pid) for pid in pids]
        with contextlib.ExitStack() as clients:
            for _ in range(60):
                clients.enter_context(socket.create_connection(stack.http))
            wait_until(lambda: sum(map(descriptors, pids)) >= sum(before) + 60)
            assert min(descriptors(pid) - there for pid, there in zip(pids, before, strict=True)) > 0
        stack.kill("proxy-2")
        assert [stack.get("api.dev.test") for _ in range(20)] == [(200, service.nonce)] * 20


def test_open_websockets_and_event_streams_do_not_hold_up_a_stop(tmp_path):
    with (
        serving("aiohttp", tmp_path) as service,
        Stack(tmp_path, f"routes: {{api: {service.port}}}\n") as stack,
        connect("ws://api.dev.test/ws", sock=socket.create_connection(stack.http)) as client,
        socket.create_connection(stack.http, 5) as events,
    ):
        client.send("here")
        assert client.recv(5) == "here"
        events.sendall(b"GET /events HTTP/1.1\r\nHost: api.dev.test\r\n\r\n")
        wait_until(lambda: b"data: " in events.recv(65_536))
        started = time.monotonic()
        stack.process.terminate()
        with pytest.raises(ConnectionClosed):
            client.recv(5)
        assert stack.process.wait(10) == 0
        assert time.monotonic() - started < DRAIN / 2
        wait_until(lambda: len(service.noticed()) == 2)


def test_a_proxy_that_starts_again_ends_its_websockets_and_refuses_nobody(tmp_path):
    with (
        serving("aiohttp", tmp_path) as service,
        Stack(tmp_path, f"routes: {{api: {service.port}}}\n") as stack,
        connect("ws://api.dev.test/ws", sock=socket.create_connection(stack.http)) as client,
    ):
        before = stack.pid("proxy-1")
        os.kill(before, signal.SIGTERM)
        with pytest.raises(ConnectionClosed):
            client.recv(5)
        assert stack.get("api.dev.test")[0] == 200  # asked while there is no proxy, answered by the next
        assert stack.pid("proxy-1") != before


@pytest.mark.skipif(os.geteuid() != 0 or sys.platform != "linux", reason="needs root on Linux: sudo make test")
def test_started_as_root_the_children_are_not(stack):
    for name in CHILDREN:
        lines = Path(f"/proc/{stack.pid(name)}/status").read_text().splitlines()
        status = {key: value.split() for key, value in (line.split(":", 1) for line in lines)}
        assert status["Uid"] == ["65534"] * 4
        assert "0" not in status["Groups"]
        assert {status[key][0] for key in ("CapPrm", "CapEff", "CapBnd", "CapAmb", "CapInh")} == {"0" * 16}
        assert status["NoNewPrivs"] == ["1"]


def test_all_in_one_process_is_the_same_stack(tmp_path):
    flags = ("--dns", "127.0.0.1:0", "--http", "127.0.0.1:0", "--in-process")
    with Service() as service, Stack(tmp_path, f"routes: {{api: {service.port}}}\n", *flags) as stack:
        assert stack.get("api.dev.test") == (200, service.nonce)
        assert stack.dig("api.dev.test") == ["127.0.0.1"]
        assert stack.json("status")["zones"] == ["dev.test"]


async def test_a_second_signal_stops_at_once(tmp_path, slow_service):
    with Stack(tmp_path, f"routes: {{slow: {slow_service.port}}}\n") as stack:
        exchange = slow_service.request_through(stack)
        assert slow_service.asked.wait(BOUND)
        pids = [stack.pid(name) for name in CHILDREN]
        stack.process.terminate()
        await until(lambda: not alive(pids[0]) or stack.process.poll() is None)
        stack.process.send_signal(signal.SIGINT)
        async with asyncio.timeout(5):
            await asyncio.to_thread(stack.process.wait)
        assert not any(alive(pid) for pid in pids)
        slow_service.finish.set()
        assert exchange.exception(10) is not None
    assert COMMAND


def test_a_state_folder_that_is_removed_ends_nothing(stack):
    resolver, address = stack.pid("resolver"), stack.http
    shutil.rmtree(stack.state)
    os.kill(resolver, signal.SIGKILL)
    wait_until(lambda: not alive(resolver))
    assert stack.process.poll() is None
    with subprocess.Popen(
        ["curl", "-sS", "-H", "Host: api.dev.test", "http://{}:{}/".format(*address)], stdout=-1
    ) as curl:
        assert curl.communicate(timeout=10)[0] == stack.service.nonce
    stack.process.terminate()
    assert stack.process.wait(15) == 0
    assert b"the state folder is gone" in stack.process.stdout.read()


def test_a_reader_of_the_log_that_leaves_ends_nothing(tmp_path):
    read, write = os.pipe()
    with Service() as service, Stack(tmp_path, f"routes: {{api: {service.port}}}\n", stderr=write) as stack:
        os.close(write)
        os.close(read)
        stack.config.write_text("routes: [\n")
        wait_until(lambda: "degraded" in stack.run("status").stdout)
        stack.config.write_text(f"routes: {{web: {service.port}}}\n")
        wait_until(lambda: stack.serves("web.dev.test", service.nonce))
        stack.kill("control")
        wait_until(lambda: stack.running("control"))
        assert stack.run("add", "more", str(service.port)).returncode == 0


def test_nohup_outlives_the_terminal(tmp_path):
    prefix = [
        sys.executable,
        "-c",
        "import os, signal, sys; signal.signal(1, signal.SIG_IGN); os.execv(sys.argv[1], sys.argv[1:])",
    ]
    with Service() as service, Stack(tmp_path, f"routes: {{api: {service.port}}}\n", prefix=prefix) as stack:
        stack.process.send_signal(signal.SIGHUP)
        stack.kill("proxy-1")
        assert stack.process.poll() is None
        assert stack.get("api.dev.test") == (200, service.nonce)
