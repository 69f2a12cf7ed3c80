"""A machine where all is well, and faults planted into it one at a time: each is found, and named before anything else."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from support.room import SERVER, Room
from support.stack import Stack
from support.waiting import wait_until

pytestmark = pytest.mark.netns
Environ = dict[str, str]
Plant = Callable[[Room], AbstractContextManager[Environ]]
SKEWED = """
import devdns
devdns.__version__ = "99.0"
from devdns.cli.main import main
raise SystemExit(main(["doctor", "--json"]))
"""


def doctor(machine: Room, *flags: str, **environ: str) -> tuple[int, list[dict[str, object]]]:
    """The exit code and the findings."""
    ran = machine.run(
        sys.executable,
        "-m",
        "devdns.cli.main",
        "doctor",
        "--json",
        *flags,
        HOME=str(machine.folder / "home"),
        **environ,
    )
    assert ran.stdout, ran.stderr
    return ran.returncode, json.loads(ran.stdout)["findings"]


@contextlib.contextmanager
def written(path: Path, text: str) -> Iterator[Environ]:
    """The file holds that text; then it is as it was."""
    before = path.read_bytes() if path.exists() else None
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    try:
        yield {}
    finally:
        if before is None:
            path.unlink()
        else:
            path.write_bytes(before)


def added(path: str, line: str) -> Plant:
    """A line more in a file of /etc."""
    return lambda machine: written(machine.etc / path, (machine.etc / path).read_text() + line + "\n")


def etc(path: str, text: str) -> Plant:
    return lambda machine: written(machine.etc / path, text)


def home(path: str, text: str) -> Plant:
    return lambda machine: written(machine.folder / "home" / path, text)


def variables(**environ: str) -> Plant:
    return lambda _: contextlib.nullcontext(environ)


@contextlib.contextmanager
def vpn(machine: Room) -> Iterator[Environ]:
    """A link with a VPN's name comes up and brings servers of its own."""
    machine.run("ip", "link", "add", "tun7", "type", "bridge")
    machine.run("ip", "link", "set", "tun7", "up")
    try:
        with written(machine.etc / "resolv.conf", f"# vpn\nnameserver {SERVER}\n"):
            yield {}
    finally:
        machine.run("ip", "link", "delete", "tun7")


@contextlib.contextmanager
def closed(machine: Room) -> Iterator[Environ]:
    """A route whose service is not there, as somebody found out who asked for it."""
    machine.devdns("add", "sick", "127.0.0.1:9", "--hold", "1ms")
    asked = ("curl", "-s", "--max-time", "9", "-H", "Host: sick.dev.test", "http://127.0.0.1:8080/")
    try:
        wait_until(
            lambda: machine.run(*asked).stdout and "sick" in machine.run(*STATUS).stdout, what="its circuit breaker"
        )
        yield {}
    finally:
        machine.devdns("rm", "sick")


STATUS = (sys.executable, "-m", "devdns.cli.main", "doctor", "--json")


@contextlib.contextmanager
def dead_resolver_of_systemd(machine: Room) -> Iterator[Environ]:
    """systemd-resolved was told of a port that nobody listens at."""
    with written(
        machine.etc / "systemd/resolved.conf.d/zz-devdns.conf", "[Resolve]\nDNS=127.0.0.1:5999\nDomains=~dev.test\n"
    ):
        yield {}


@contextlib.contextmanager
def lost_change(machine: Room) -> Iterator[Environ]:
    """What devdns wrote is gone."""
    path = machine.state / "installed.json"
    text = path.read_bytes()
    path.unlink()
    try:
        yield {}
    finally:
        path.write_bytes(text)


@contextlib.contextmanager
def cut_off(machine: Room) -> Iterator[Environ]:
    """A run was killed half way."""
    path = machine.state / "system.journal"
    book = json.loads(path.read_text())
    book["entries"][0]["phase"] = "doing"
    with written(path, json.dumps(book)):
        yield {}


POLICY = '{"policies": {"DNSOverHTTPS": {"Enabled": true, "Fallback": false}}}'
TRR = 'user_pref("network.trr.mode", 3);\nuser_pref("network.trr.uri", "https://dns.example/dns-query");\n'
SECURE = '{"dns_over_https": {"mode": "secure", "templates": "https://dns.example/"}}'
FAULTS: dict[str, tuple[Plant, str, str]] = {
    "a line for another address": (added("hosts", "10.0.0.5 devdns.dev.test"), "hosts file", "10.0.0.5"),
    "half of our block": (added("hosts", "# >>> devdns 1"), "hosts file", "marks"),
    "no DNS in nsswitch.conf": (etc("nsswitch.conf", "hosts: files\n"), "nsswitch", "asks no DNS"),
    "multicast ends the search": (
        etc("nsswitch.conf", "hosts: files mdns4 [NOTFOUND=return] dns\n"),
        "nsswitch",
        "mdns4 [NOTFOUND=return]",
    ),
    "resolv.conf written anew": (etc("resolv.conf", f"nameserver {SERVER}\n"), "journal", "/etc/resolv.conf"),
    "a VPN": (vpn, "vpn", "tun7"),
    "systemd-resolved asks elsewhere": (dead_resolver_of_systemd, "systemd-resolved", "127.0.0.1:5999"),
    "Firefox by HTTPS only": (home(".mozilla/firefox/x.default/user.js", TRR), "browser DNS", "dns.example"),
    "a policy of Firefox": (etc("firefox/policies/policies.json", POLICY), "browser DNS", "policies.json"),
    "Chromium by HTTPS only": (home(".config/chromium/Local State", SECURE), "browser DNS", "Chromium"),
    "a policy of Chrome": (
        etc("opt/chrome/policies/managed/site.json", '{"DnsOverHttpsMode": "secure"}'),
        "browser DNS",
        "Chrome",
    ),
    "a proxy for everything": (variables(http_proxy="http://10.0.0.1:3128"), "proxy variables", "10.0.0.1:3128"),
    "Docker that is not there": (
        variables(DEVDNS_DOCKER_ENABLED="true", DOCKER_HOST="unix:///nowhere/docker.sock"),
        "docker",
        "no such file",
    ),
    "a variable that is wrong": (variables(DEVDNS_HOLD="soon"), "config", "soon"),
    "a change that is gone": (lost_change, "journal", "installed.json"),
    "a run that was cut off": (cut_off, "journal", "half way"),
    "a service that is not there": (closed, "routes", "sick.dev.test"),
}


def test_nothing_is_wrong_with_a_machine_that_is_well(machine: Room) -> None:
    code, found = doctor(machine)
    assert (code, [each for each in found if each["level"] == "fault"]) == (0, [])
    assert {"system resolver", "our resolver", "journal", "routes"} <= {str(each["check"]) for each in found}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_named_first(machine: Room, fault: str) -> None:
    plant, check, word = FAULTS[fault]
    with plant(machine) as environ:
        code, (first, *_) = doctor(machine, **environ)
    assert (code, first["check"], first["level"]) == (1, check, "fault"), first
    assert word in str(first["seen"])
    assert first["why"]
    assert first["mend"]


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("# portless-start", "portless"),
        ("# Added by Docker Desktop\n192.168.65.2 host.docker.internal", "host.docker.internal is 192.168.65.2"),
        ("127.0.0.1 devdns.dev.test", "devdns.dev.test is 127.0.0.1"),
    ],
)
def test_what_others_left_in_the_hosts_file_is_a_warning(machine: Room, line: str, word: str) -> None:
    with added("hosts", line)(machine):
        code, (first, *_) = doctor(machine)
    assert (code, first["check"], first["level"]) == (0, "hosts file", "warning")
    assert word in str(first["seen"])


def test_a_devdns_of_another_version_is_told(machine: Room) -> None:
    ran = machine.run(sys.executable, "-c", SKEWED)
    first = json.loads(ran.stdout)["findings"][0]
    assert first["check"] == "version"
    assert "this command is 99.0" in first["seen"]


def test_who_holds_the_port_is_named(machine: Room) -> None:
    """No devdns runs there: it could not."""
    holder = subprocess.Popen([*machine.prefix, "busybox", "httpd", "-f", "-p", "127.0.0.1:8099", "-h", "/"])
    config = machine.folder / "busy.yml"
    config.write_text("http: {listen: [127.0.0.1:8099]}\n")
    try:
        flags = ("--state-dir", str(machine.folder / "other"), "-c", str(config))
        wait_until(lambda: doctor(machine, *flags)[1][0]["check"] == "ports", what="the holder")
        _, (first, *rest) = doctor(machine, *flags)
    finally:
        holder.kill()
        holder.wait()
    assert first["seen"] == f"http 127.0.0.1:8099 is held by busybox (pid {holder.pid})"
    assert "daemon" in {each["check"] for each in rest if each["level"] == "fault"}


def test_what_a_cut_off_run_left_is_taken_back(machine: Room) -> None:
    """The text is for people here, and the plan is shown before."""
    before = (machine.state / "system.journal").read_bytes()
    with lost_change(machine):
        ran = machine.run(sys.executable, "-m", "devdns.cli.main", "doctor", "--fix", "--yes")
    assert f"will     forget {machine.state}/installed.json" in ran.stdout
    assert json.loads((machine.state / "system.journal").read_text())["entries"]
    assert "installed.json" not in (machine.state / "system.journal").read_text()
    (machine.state / "system.journal").write_bytes(before)


def test_a_dead_devdns_is_found_and_started_again(tmp_path: Path) -> None:
    """Killed with all its parts, as when the machine ran out of memory; --fix shows what it does and does it."""
    flags = ("--dns", "127.0.0.1:0", "--http", "127.0.0.1:0")
    environ = {"DEVDNS_DNS": flags[1], "DEVDNS_HTTP": flags[3]}
    stack = Stack(tmp_path, "routes: {api: 5173}\n", *flags)
    stack.run("up", "--detach", check=0, **environ)
    try:
        pids = [stack.facts["pid"], *(each["pid"] for each in stack.facts["processes"])]
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, 9)
        found = stack.run("doctor", "--json", check=1, **environ)
        first = json.loads(found.stdout)["findings"][0]
        assert first["check"] == "daemon"
        assert f"pid {pids[0]}" in first["seen"]
        assert first["fixable"] is True
        assert "there is no terminal to ask on" in stack.run("doctor", "--fix", check=2, **environ).stderr
        mended = stack.run("doctor", "--fix", "--yes", **environ)
        assert "start devdns again" in mended.stdout
        assert stack.json("status")["routes"] == 1
    finally:
        stack.run("down")
