"""Containers ask their gateway: listeners on bridges that come and go, in network namespaces of our own."""

import os
import subprocess
from contextlib import contextmanager

import pytest
from support.parts import need, need_root
from support.stack import Stack
from support.waiting import wait_until

PAGE = b"the api\n"
GATEWAY, GUEST, STRANGER = "10.77.0.1", "10.77.0.2", "10.99.0.9"


def ip(*arguments):
    subprocess.run(["ip", *arguments], check=True)


@contextmanager
def namespace(name):
    ip("netns", "add", name)
    try:
        ip("-n", name, "link", "set", "lo", "up")
        yield name
    finally:
        ip("netns", "delete", name)


@pytest.fixture
def host(tmp_path):
    """Where devdns runs as root on the real ports, with a service behind a name."""
    need("ip", "dig", "curl", "busybox")
    need_root("namespaces and port 53")
    (tmp_path / "index.html").write_bytes(PAGE)
    with namespace(f"host{os.getpid()}") as name:
        httpd = subprocess.Popen(
            ["ip", "netns", "exec", name, "busybox", "httpd", "-f", "-p", "127.0.0.1:5173", "-h", str(tmp_path)]
        )
        yield name
        httpd.kill()
        httpd.wait()


@pytest.fixture
def guest(host):
    with namespace(f"guest{os.getpid()}") as name:
        yield name


@pytest.fixture
def stack(host, tmp_path):
    inside = ("ip", "netns", "exec", host)
    with Stack(
        tmp_path, "routes: {api: 5173}\n", "--dns", "127.0.0.1:53", "--http", "127.0.0.1:80", prefix=inside
    ) as running:
        yield running


def bridge(host, guest, name="br7"):
    """As an engine makes one for its containers."""
    ip("-n", host, "link", "add", name, "type", "bridge")
    ip("-n", host, "address", "add", f"{GATEWAY}/24", "dev", name)
    ip("-n", host, "link", "set", name, "up")
    ip("-n", host, "link", "add", "end0", "type", "veth", "peer", "name", "eth0", "netns", guest)
    ip("-n", host, "link", "set", "end0", "master", name, "up")
    ip("-n", guest, "link", "set", "eth0", "up")
    ip("-n", guest, "address", "add", f"{GUEST}/24", "dev", "eth0")


def opened(stack, where=GATEWAY):
    return {role: [where, port] in stack.facts["listeners"][role] for role, port in (("dns", 53), ("http", 80))}


BOTH, NONE = {"dns": True, "http": True}, {"dns": False, "http": False}


def inside(place, *command):
    ran = subprocess.run(["ip", "netns", "exec", place, *command], capture_output=True, check=False, timeout=20)
    return ran.stdout.decode()


def dig(place, *arguments):
    return inside(place, "dig", f"@{GATEWAY}", "+tries=1", "+time=2", *arguments)


def answered(place, *arguments):
    return dig(place, "+short", "api.dev.test", *arguments).split()


def test_a_guest_is_answered_with_its_gateway_and_reaches_the_service_by_name(stack, host, guest):
    bridge(host, guest)
    wait_until(lambda: opened(stack) == BOTH, what="listeners on the bridge")
    wait_until(lambda: answered(guest) == [GATEWAY], what="the gateway's address")
    assert answered(guest, "+tcp") == answered(guest, "ANY") == [GATEWAY]
    assert answered(guest, "AAAA") == []
    assert dig(guest, "+short", "_http._tcp.api.dev.test", "SRV").split() == ["0", "0", "80", "api.dev.test."]
    page = inside(
        guest, "curl", "-s", "--max-time", "5", "--resolve", f"api.dev.test:80:{GATEWAY}", "http://api.dev.test/"
    )
    assert page.encode() == PAGE
    # From the gateway's own address it is the host that asks.
    assert answered(host, "-b", GATEWAY) == ["127.0.0.1"]
    stack.kill("resolver")
    wait_until(lambda: answered(guest) == [GATEWAY], what="an answer of the next resolver")
    ip("-n", host, "link", "delete", "br7")
    wait_until(lambda: opened(stack) == NONE, what="the end of the listeners")
    assert inside(host, "dig", "@127.0.0.1", "+short", "api.dev.test").split() == ["127.0.0.1"]
    ip("-n", host, "link", "delete", "end0")
    bridge(host, guest, "br8")
    wait_until(lambda: answered(guest) == [GATEWAY], what="the same place on another bridge")


def test_a_stranger_behind_a_bridge_is_refused_and_does_not_reach_the_proxy(stack, host, guest):
    bridge(host, guest)
    wait_until(lambda: opened(stack) == BOTH, what="listeners on the bridge")
    ip("-n", guest, "address", "add", f"{STRANGER}/32", "dev", "lo")
    ip("-n", host, "route", "add", f"{STRANGER}/32", "via", GUEST)
    assert "status: REFUSED" in dig(guest, "-b", STRANGER, "api.dev.test")
    # The gateway's address asked from another link: DNS sees a stranger, HTTP hears nothing.
    ip("-n", host, "link", "add", "lan0", "type", "veth", "peer", "name", "lan1", "netns", guest)
    ip("-n", host, "address", "add", "10.88.0.1/24", "dev", "lan0")
    ip("-n", host, "link", "set", "lan0", "up")
    ip("-n", guest, "address", "add", "10.88.0.2/24", "dev", "lan1")
    ip("-n", guest, "link", "set", "lan1", "up")
    ip("-n", guest, "address", "delete", f"{GUEST}/24", "dev", "eth0")
    ip("-n", guest, "route", "add", f"{GATEWAY}/32", "via", "10.88.0.1")
    assert "status: REFUSED" in dig(guest, "api.dev.test")
    assert not inside(guest, "curl", "-s", "--max-time", "2", f"http://{GATEWAY}/")


def test_a_bridge_that_leads_outside_is_left_alone(stack, host, guest):
    bridge(host, guest)
    wait_until(lambda: opened(stack) == BOTH, what="listeners on the bridge")
    ip("-n", host, "route", "add", "default", "via", GUEST)
    wait_until(lambda: opened(stack) == NONE, what="the end of the listeners")
    assert GATEWAY not in answered(guest)


def test_what_others_call_their_links_stops_nothing(stack, host):
    """The kernel takes any bytes but white space, a slash and a colon for a name."""
    for number, name in enumerate(("büro", "a\x1cb", b"\xff\xfe")):
        ip("-n", host, "link", "add", "name", name, "type", "bridge")
        ip("-n", host, "address", "add", f"10.{80 + number}.0.1/24", "dev", name)
        ip("-n", host, "link", "set", name, "up")
        where = f"10.{80 + number}.0.1"
        wait_until(lambda where=where: opened(stack, where) == BOTH, what=f"listeners at {where}")
    assert stack.json("status")["network"]["online"] is False
    assert "cannot be looked at" not in stack.log()
