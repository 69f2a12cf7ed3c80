"""`devdns explain` on a machine where one hop at a time fails: that one is marked, with what mends it."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from support import dev_servers
from support.room import Room

pytestmark = pytest.mark.netns
PORT = "5180"
TRR = 'user_pref("network.trr.mode", 3);\n'


@pytest.fixture(scope="module")
def services(machine: Room) -> Iterator[Room]:
    """A name for each dev server, and names whose targets fail in other ways."""
    serve = [*machine.prefix, sys.executable, dev_servers.__file__, PORT]
    with subprocess.Popen(serve, stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        assert server.stdout.readline() == b"up\n"
        routes = dict.fromkeys(dev_servers.SAID, f"127.0.0.1:{PORT}")
        routes |= {"closed": "127.0.0.1:9", "silent": "192.0.2.99:80", "lost": "no-such-host.invalid:80"}
        routes |= {"plain": f"https://127.0.0.1:{PORT}"}
        (machine.folder / "more.yml").write_text(f"routes: {json.dumps(routes)}\n")
        machine.devdns("up", "-c", str(machine.folder / "more.yml"))
        yield machine
        machine.devdns("down", "-c", str(machine.folder / "more.yml"))
        server.kill()


def explain(machine: Room, name: str) -> tuple[int, dict[str, Any]]:
    command = (sys.executable, "-m", "devdns.cli.main", "explain", name, "--json")
    ran = machine.run(*command, HOME=str(machine.folder / "home"))
    assert ran.stdout, ran.stderr
    return ran.returncode, json.loads(ran.stdout)


@contextlib.contextmanager
def holding(path: Path, text: str) -> Iterator[None]:
    """A file of the machine that says this for a while."""
    before = path.read_bytes() if path.exists() else None
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    yield
    if before is None:
        path.unlink()
    else:
        path.write_bytes(before)


def planted(machine: Room, fault: str) -> AbstractContextManager[None]:
    etc = machine.etc
    if fault == "browser":
        return holding(machine.folder / "home/.mozilla/firefox/x/user.js", TRR)
    if fault == "hosts":
        return holding(etc / "hosts", (etc / "hosts").read_text() + "10.0.0.5 well.dev.test\n")
    if fault == "nsswitch":
        return holding(etc / "nsswitch.conf", "hosts: files\n")
    return contextlib.nullcontext()


@pytest.mark.parametrize(
    ("name", "fault", "hop", "mend"),
    [
        ("well", "browser", "browser", "turn it off"),
        ("well", "hosts", "system resolver", "/etc/hosts"),
        ("well", "nsswitch", "system resolver", "devdns doctor"),
        ("http://well.dev.test:3000/", "", "listener", "http://well.dev.test:8080"),
        ("https://well.dev.test/", "", "listener", "devdns status"),
        ("wel", "", "route", "devdns add wel PORT"),
        ("silent", "", "network path", "start the service"),
        ("lost", "", "network path", "see that no-such-host.invalid resolves"),
        ("closed", "", "dial", "start the service"),
        ("plain", "", "service TLS", "see that it speaks TLS"),
        ("vite", "", "response", "allowedHosts: ['.dev.test']"),
        ("webpack", "", "response", "webpack.config.js"),
        ("django", "", "response", "ALLOWED_HOSTS = ['.dev.test']"),
        ("rails", "", "response", 'config.hosts << ".dev.test"'),
        ("next/_next/static/x.js", "", "response", "allowedDevOrigins: ['*.dev.test']"),
        ("broken", "", "response", "log"),
        ("loop", "", "response", "point its target at the service"),
    ],
)
def test_the_first_hop_that_fails_is_marked(services: Room, name: str, fault: str, hop: str, mend: str) -> None:
    with planted(services, fault):
        code, body = explain(services, name)
    assert (code, body["failing"]) == (1, hop), body["hops"]
    marked = next(each for each in body["hops"] if each["hop"] == hop and each["verdict"] == "failed")
    assert mend in marked["mend"]
    before = body["hops"][: body["hops"].index(marked)]
    assert "failed" not in {each["verdict"] for each in before}


def test_a_name_that_works_has_a_time_for_every_hop_that_was_gone(services: Room) -> None:
    code, body = explain(services, "well")
    assert (code, body["failing"]) == (0, None)
    timed = {each["hop"] for each in body["hops"] if each["ms"] is not None}
    assert timed == {"system resolver", "our answer", "listener", "dial", "response"}
    assert {each["verdict"] for each in body["hops"]} == {"ok"}


def test_a_service_that_sends_clients_away_from_its_name_is_a_warning_for_people(services: Room) -> None:
    said = services.devdns("explain", "away", HOME=str(services.folder / "home"))
    assert "302: it sends clients to http://localhost:5173/, away from the name" in said
    assert "mend: tell the service its public URL" in said


def test_the_mark_and_the_mend_are_shown_to_people(services: Room) -> None:
    said = services.devdns("explain", "vite", check=1, HOME=str(services.folder / "home")).splitlines()
    (marked,) = [line for line in said if line.startswith("> ")]
    assert "Vite does not allow the host vite.dev.test" in marked
    assert "vite.config.js - or host: localhost:5180 in the route" in said[said.index(marked) + 1]
