"""mDNS services of foreign responders become routes: avahi, python-zeroconf, another machine, nobody at all."""

import contextlib
import json
import sys
import time

import pytest
from support import announcer, mdns_probe
from support.avahi import ADDRESS, NEIGHBOUR, Network, avahi, heard, neighbour, network, running
from support.parts import need, need_root

BOUND = 10.0


class Probe:
    """The provider in its own process; `until` reads what it says."""

    def __init__(self, process):
        self.process = process
        self.rest = ""

    def say(self):
        while "\n" not in self.rest:
            self.rest += heard(self.process, self.process.stdout, "\n", BOUND)
        line, _, self.rest = self.rest.partition("\n")
        return json.loads(line)

    def until(self, condition, bound=BOUND):
        deadline = time.monotonic() + bound
        seen = []
        while time.monotonic() < deadline:
            seen.append(self.say())
            if condition(seen[-1]):
                return seen[-1]
        raise AssertionError(f"not in {bound} s: {seen}")

    def states(self, routes):
        assert self.until(lambda said: said.get("routes") == routes)

    def memory(self):
        self.process.stdin.write(b"memory\n")
        self.process.stdin.flush()
        return self.until(lambda said: "memory" in said)["memory"]


@contextlib.contextmanager
def probe(net, *switches):
    with running([*net.enter, sys.executable, mdns_probe.__file__, *switches]) as process:
        yield Probe(process)


class Announcer:
    def __init__(self, process):
        self.process = process

    def __call__(self, line):
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()
        heard(self.process, self.process.stdout, "ok\n", 30)


@contextlib.contextmanager
def announcing(net):
    with running([*net.enter, sys.executable, announcer.__file__]) as process:
        yield Announcer(process)


@pytest.fixture
def net():
    with network() as net:
        yield net


def test_a_service_of_avahi_is_a_route_while_it_is_published(net, tmp_path):
    with probe(net) as said, avahi(net, tmp_path) as responder:
        said.states({})
        with responder.publish("Shop", 8080, "dev.route=api, www/v2", "dev.strip=true"):
            said.states({"api.dev.test": [f"http://{ADDRESS}:8080"], "www.dev.test/v2": [f"http://{ADDRESS}:8080"]})
        said.states({})


def test_what_was_published_before_is_found(net, tmp_path):
    with avahi(net, tmp_path) as responder, responder.publish("My Shop (2)", 80), probe(net, "default_names") as said:
        said.states({"my-shop-2.dev.test": [f"http://{ADDRESS}:80"]})


def test_a_service_of_zeroconf_is_a_route_and_its_new_port_and_address_are_followed(net):
    with probe(net) as said, announcing(net) as tell:
        said.states({})
        tell(f"register shop 8080 {ADDRESS} dev.route=api dev.scheme=https")
        said.states({"api.dev.test": [f"https://{ADDRESS}:8080"]})
        tell(f"update shop 8081 {ADDRESS} dev.route=api")
        said.states({"api.dev.test": [f"http://{ADDRESS}:8081"]})
        net.run("ip", "address", "add", "10.77.0.9/24", "dev", "mdns0")
        tell("update shop 8081 10.77.0.9 dev.route=api")
        said.states({"api.dev.test": ["http://10.77.0.9:8081"]})
        tell("unregister shop")
        said.states({})


def test_a_service_that_said_goodbye_is_restarting_until_it_is_back_at_a_new_port_or_its_hold_is_over(net):
    with probe(net, "hold") as said, announcing(net) as tell:
        tell(f"register shop 8080 {ADDRESS} dev.route=api")
        said.states({"api.dev.test": [f"http://{ADDRESS}:8080"]})
        tell("unregister shop")
        held = said.until(lambda told: told.get("down"))
        assert held["routes"] == {"api.dev.test": [f"http://{ADDRESS}:8080"]}
        assert held["down"] == {"api.dev.test": "mDNS service shop said goodbye"}
        tell(f"register shop 8081 {ADDRESS} dev.route=api")
        back = said.until(lambda told: told["routes"] == {"api.dev.test": [f"http://{ADDRESS}:8081"]})
        assert back["down"] == {}
        tell("unregister shop")
        said.states({})


def test_another_machine_is_refused_unless_allowed(net):
    with (
        neighbour(net) as other,
        probe(net) as said,
        probe(net, "allow_remote") as open_said,
        announcing(other) as tell,
    ):
        tell(f"register shop 8080 {NEIGHBOUR} dev.route=api")
        refused = said.until(lambda told: told.get("refusals"))
        assert refused["routes"] == {}
        [refusal] = refused["refusals"]
        assert (refusal["name"], refusal["reason"], refusal["quiet"]) == (
            "api",
            f"announced for {NEIGHBOUR}, which is not an address of this machine",
            True,
        )
        open_said.states({"api.dev.test": [f"http://{NEIGHBOUR}:8080"]})


def test_ten_thousand_announcements_stay_bounded_and_a_service_of_ours_still_comes_through(net):
    with (
        probe(net) as said,
        probe(net, "allow_remote") as open_said,
        neighbour(net) as other,
        announcing(other) as flood,
        announcing(net) as tell,
    ):
        said.states({})
        open_said.states({})
        before = [said.memory(), open_said.memory()]
        flood(f"flood 10000 {NEIGHBOUR} dev.route=flood{{}}")
        tell(f"register shop 8080 {ADDRESS} dev.route=api")
        last = said.until(lambda told: told.get("routes") == {"api.dev.test": [f"http://{ADDRESS}:8080"]}, 30)
        assert 0 < len(last["refusals"]) <= 201
        assert all(each["origin"].isprintable() for each in last["refusals"])
        full = open_said.until(lambda told: any(each["name"] == "*" for each in told.get("refusals", ())), 30)
        assert len(full["routes"]) == 1_000
        after = [said.memory(), open_said.memory()]
        assert max(now - then for now, then in zip(after, before, strict=True)) < 40 << 20


def test_no_network_is_trouble_until_there_is_one():
    need("unshare", "nsenter", "ip")
    need_root("a network namespace")
    with running(["unshare", "--net", "sh", "-c", "echo up; exec cat"], "up") as process:
        net = Network(process.pid)
        with probe(net) as said:
            assert "mDNS cannot listen" in said.say()["trouble"]
            net.run("ip", "link", "set", "lo", "up")
            said.states({})
