"""An mDNS service of a foreign responder and a dev server in `devdns.yml` answer by name, asked by foreign clients."""

import subprocess
import sys
from pathlib import Path

import pytest
from support import announcer
from support.avahi import ADDRESS, avahi, heard, network, running
from support.parts import need
from support.stack import Stack
from support.waiting import wait_until

PORT = 8099
PAGE = "an announced service\n"


@pytest.fixture
def net(tmp_path):
    need("busybox", "curl", "dig")
    (tmp_path / "www").mkdir()
    (tmp_path / "www/index.html").write_text(PAGE)
    with network() as made:
        httpd = [*made.enter, "busybox", "httpd", "-f", "-p", str(PORT), "-h", str(tmp_path / "www")]
        with running(httpd):
            yield made


@pytest.fixture
def stack(net, tmp_path):
    routes = f"routes: {{local: {PORT}}}\n"
    with Stack(tmp_path, routes, prefix=net.enter, DEVDNS_MDNS_ENABLED="true", DEVDNS_HOLD="300ms") as running_stack:
        yield running_stack


def fetched(net, stack, host):
    """What curl gets for a name that dig found first."""
    server, port = stack.dns
    found = net.run("dig", f"@{server}", "-p", str(port), "+short", host).strip()
    proxy = f"{host}:{stack.http[1]}"
    asked = ["curl", "-s", "--resolve", f"{proxy}:{found}", f"http://{proxy}/"]
    return subprocess.run([*net.enter, *asked], capture_output=True, text=True, check=True, timeout=10).stdout


def test_a_service_published_by_avahi(net, stack, tmp_path):
    with avahi(net, tmp_path) as responder, responder.publish("My Shop", PORT, "dev.route=shop"):
        wait_until(lambda: fetched(net, stack, "shop.dev.test") == PAGE, what="shop.dev.test")
        assert fetched(net, stack, "local.dev.test") == PAGE
        (route,) = [each for each in stack.json("routes")["routes"] if each["source"] == "mdns"]
        assert route["targets"] == [f"http://{ADDRESS}:{PORT}"]
        assert "My Shop" in route["origin"]
    wait_until(lambda: fetched(net, stack, "shop.dev.test") != PAGE, what="the end of shop.dev.test")
    wait_until(lambda: len(stack.json("routes")["routes"]) == 1, what="the end of its hold")


def test_a_service_published_by_zeroconf(net, stack):
    program = [*net.enter, sys.executable, str(Path(announcer.__file__))]
    with running(program) as responder:
        told(responder, f"register Shop {PORT} {ADDRESS} dev.route=shop")
        wait_until(lambda: fetched(net, stack, "shop.dev.test") == PAGE, what="shop.dev.test")
        stack.kill("control")
        wait_until(lambda: stack.running("control"))
        assert fetched(net, stack, "shop.dev.test") == PAGE
        told(responder, "unregister Shop")
        wait_until(lambda: fetched(net, stack, "shop.dev.test") != PAGE, what="the end of shop.dev.test")
    assert fetched(net, stack, "local.dev.test") == PAGE


def told(responder, line):
    responder.stdin.write(line.encode() + b"\n")
    responder.stdin.flush()
    assert "ok" in heard(responder, responder.stdout, "ok")
