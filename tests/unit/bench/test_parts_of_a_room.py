"""What a run is put together from, outside a room."""

from __future__ import annotations

import sys

import pytest
from support.waiting import wait_until

from devdns_bench.approaches import APPROACHES
from devdns_bench.approaches.written import Caddy, Nginx
from devdns_bench.room_engine import backend
from devdns_bench.rooms import entering, residue
from devdns_bench.scenarios import SCENARIOS
from devdns_bench.site import Site
from devdns_bench.stack import downtime, services
from devdns_bench.user import Step, StepFailed, User


def test_what_a_person_does_is_done_and_counted(tmp_path):
    user, path = User(tmp_path), tmp_path / "etc/hosts"
    user.edits(path, "127.0.0.1 localhost\n", root=True)
    user.adds(path, "127.0.0.1 api\n", root=True)
    assert user.types("cat", str(path), shown="cat hosts") == "127.0.0.1 localhost\n127.0.0.1 api\n"
    assert user.steps == [
        Step("edit", str(path), root=True),
        Step("edit", str(path), root=True),
        Step("command", "cat hosts"),
    ]


def test_a_command_that_fails_says_which_and_why(tmp_path):
    with pytest.raises(StepFailed, match=r"'sh -c echo no >&2; exit 3' ended with 3: no"):
        User(tmp_path).types("sh", "-c", "echo no >&2; exit 3")


def test_residue_is_what_is_new_or_changed():
    before = {"/etc/hosts": "a", "/etc/resolv.conf": "b", "process sh": ""}
    assert residue(before, {"/etc/hosts": "c", "/etc/resolv.conf": "b", "process nginx": ""}) == [
        "/etc/hosts",
        "process nginx",
    ]
    assert residue(before, before) == []


def test_downtime_is_the_longest_gap_between_down_and_up(tmp_path):
    stamps = tmp_path / "log"
    stamps.write_text(
        "up 1.0 api-1\nup 1.1 s2-1\ndown 2.0 api-1\nup 2.5 api-1\ndown 4.0 s2-1\ndown 5.0 api-1\nup 5.9 api-2\n"
    )
    assert downtime("api-1", path=stamps) == pytest.approx(0.9)
    assert downtime("s2-1", path=stamps) is None
    assert downtime("api-1", path=tmp_path / "none") is None


def test_services_have_names_ports_and_identities_of_their_own():
    every = services(3)
    assert [(each.name, each.port, each.identity) for each in every] == [
        ("api", 8001, "api-1"),
        ("s2", 8002, "s2-1"),
        ("s3", 8003, "s3-1"),
    ]
    assert every[1].target == "127.0.0.1:8002"


def test_the_backend_of_a_container_is_the_probes():
    assert backend("api-1", 8000, "--boot", "0.5")[1:] == [
        "-ISE",
        "/backend.py",
        "api-1",
        "--port",
        "8000",
        "--stamps",
        "/stamps/log",
        "--boot",
        "0.5",
    ]


def test_a_room_is_entered_with_the_death_of_its_parent_in_mind():
    command = entering(["true"])
    assert command[:3] == ["setpriv", "--pdeathsig", "KILL"]
    assert {"--mount", "--net", "--pid", "--kill-child"} <= {*command}
    assert command[-1] == "true"


@pytest.mark.parametrize(("approach", "line"), [(Nginx, "server_name api.dev.test"), (Caddy, "http://api.dev.test {")])
def test_a_written_configuration_names_every_service_and_its_target(tmp_path, approach, line):
    made = approach(Site(User(tmp_path), {}))
    made.services = services(2)
    made.targets = {"api": ["127.0.0.1:8001", "127.0.0.1:8051"], "s2": ["127.0.0.1:8002"]}
    text = made.text()
    assert line in text
    assert all(target in text for target in ("127.0.0.1:8001", "127.0.0.1:8051", "127.0.0.1:8002"))


def test_names_are_keys_and_every_title_is_its_own():
    assert all(name == each.name for name, each in (*APPROACHES.items(), *SCENARIOS.items()))
    assert len({each.title for each in APPROACHES.values()}) == len(APPROACHES)
    for scenario in SCENARIOS.values():
        assert len({figure.key for figure in scenario.figures}) == len(scenario.figures)
        assert scenario.question.endswith(".")


def test_a_server_that_refuses_its_configuration_is_said_with_its_words(tmp_path, monkeypatch):
    monkeypatch.setattr("devdns_bench.site.INSIDE", tmp_path)
    site = Site(User(tmp_path), {})
    with pytest.raises(StepFailed, match="bad ended with 4: wrong line"):
        site.start("bad", "sh", "-c", "echo wrong line; exit 4")
    assert site.user.steps[0].what == "sh -c echo wrong line; exit 4"


def test_the_cpu_of_a_server_is_that_of_its_children_too(tmp_path, monkeypatch):
    monkeypatch.setattr("devdns_bench.site.INSIDE", tmp_path)
    site = Site(User(tmp_path), {})
    burn = f"{sys.executable} -c 'sum(range(30_000_000))'; sleep 60"
    site.start("burner", "sh", "-c", burn)
    try:
        wait_until(lambda: site.cpu() > 0.1, what="CPU to be counted")
        assert site.memory() > 100_000
    finally:
        site.stop_all()
    assert site.cpu() == 0
