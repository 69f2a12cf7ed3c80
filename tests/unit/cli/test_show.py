import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devdns.cli.show import (
    conflict_lines,
    near_path,
    reason_lines,
    refusal_lines,
    route_lines,
    source_text,
    target_text,
    trouble_lines,
)


def route(name="api.dev.test", prefix="", **more):
    row = {
        "name": name + prefix,
        "url": f"http://{name}{prefix}",
        "host": name,
        "prefix": prefix,
        "targets": ["http://127.0.0.1:1"],
        "source": "manual",
        "origin": "devdns add",
        "state": "live",
        "reason": "",
    }
    return row | more


HERE = Path("/project")


@pytest.mark.parametrize(
    ("source", "origin", "shown"),
    [
        ("file:/project/devdns.yml", "devdns.yml:4", "devdns.yml:4"),
        ("file:/project/sub/devdns.yml", "devdns.yml:4", "sub/devdns.yml:4"),
        ("file:/other/devdns.yml", "devdns.yml:4", "/other/devdns.yml:4"),
        (f"file:{Path.home()}/x/devdns.yml", "devdns.yml:4", "~/x/devdns.yml:4"),
        ("manual", "devdns add", "devdns add"),
        ("docker", "container shop-1, label dev.route", "docker: container shop-1, label dev.route"),
        ("docker:tcp://b:1", "container shop-1", "docker:tcp://b:1: container shop-1"),
        ("docker", "container a, label com.docker.b", "docker: container a, label com.docker.b"),
        ("mdns", "mDNS service 'shop'", "mDNS service 'shop'"),
        ("mdns", "", "mdns"),
        ("file:/project/devdns.yml", "", "devdns.yml"),
    ],
)
def test_where_a_route_is_found(source, origin, shown):
    assert source_text({"source": source, "origin": origin}, HERE) == shown


def test_a_path_is_told_from_the_nearest_place():
    assert near_path(Path("/project/a"), HERE) == "a"
    assert near_path(Path("/projects/a"), HERE) == "/projects/a"


def test_targets_in_short():
    assert target_text(["http://127.0.0.1:1", "https://[::1]:2", "unix:/a"]) == "127.0.0.1:1, https://[::1]:2, unix:/a"
    assert target_text([]) == "-"


def test_routes_stand_by_name():
    rows = [route("x.a.test"), route("b.a.test", "/v2"), route("*.b.a.test"), route("b.a.test"), route("c.b.test")]
    names = [line.split()[0] for line in route_lines(rows)[1:]]
    assert names == [f"http://{each}" for each in ("b.a.test", "b.a.test/v2", "*.b.a.test", "c.b.test", "x.a.test")]


def test_no_routes_no_table():
    assert route_lines([]) == []


LONG = "the container has no address that this machine can reach, since it is on the network none" * 2


def test_a_reason_stands_below_the_table_and_does_not_widen_it():
    rows = [route("b.test", state="unhealthy", reason=LONG), route("a.test")]
    assert [line.split()[2] for line in route_lines(rows)] == ["STATE", "live", "unhealthy"]
    assert max(map(len, route_lines(rows))) < 80
    assert reason_lines(rows) == [f"unhealthy  b.test: {LONG}"]


@pytest.mark.parametrize(
    ("width", "line"),
    [
        (None, "http://api.dev.test  127.0.0.1:1, 127.0.0.1:2  live   devdns.yml:44444"),
        (70, "http://api.dev.test  127.0.0.1:1, 127.0.0.1:2  live   devdns.yml:44444"),
        (60, "http://api.dev.test  127.0.0.1:1,...  live   devdns.yml:4..."),
        (50, "http://api.dev.test  127.0.0...  live   devdns...."),
        (10, "http://api.dev.test  127.0.0...  live   devdns...."),
    ],
)
def test_a_narrow_screen_takes_from_the_longer_of_target_and_origin(width, line):
    row = route("api.dev.test", targets=["http://127.0.0.1:1", "http://127.0.0.1:2"], origin="devdns.yml:44444")
    shown = route_lines([row], width=width)
    assert shown[1] == line
    assert len(line) <= max(width or 70, 50)


def test_quiet_refusals_are_not_listed():
    row = {"source": "docker", "origin": "container x", "name": "a_b", "reason": "bad", "hint": "do so", "quiet": False}
    assert refusal_lines([row, row | {"quiet": True}]) == ["refused  a_b (docker: container x): bad - do so"]
    assert refusal_lines([row | {"pending": True}]) == ["pending  a_b (docker: container x): bad - do so"]


def test_a_refusal_from_a_file_names_its_path():
    row = {"source": "file:/other/devdns.yml", "origin": "devdns.yml:3", "name": "a_b", "reason": "bad"}
    assert refusal_lines([row]) == ["refused  a_b (/other/devdns.yml:3): bad"]


def test_what_is_wrong_with_a_source_is_told_once():
    file = {"source": "file:/project/devdns.yml", "state": "degraded", "reason": "/project/devdns.yml:5: bad"}
    other = {"source": "docker", "state": "degraded", "reason": "no answer", "hint": "start it"}
    assert trouble_lines([file, other, other | {"state": "off"}], HERE) == [
        "degraded  devdns.yml:5: bad",
        "degraded  docker: no answer - start it",
    ]


words = st.text(max_size=20)


@given(words, words, words, words)
def test_no_foreign_word_steers_the_terminal(one, two, three, four):
    row = route(name=one, targets=[two], origin=three, reason=four, source="docker")
    conflict = {"name": one, "winner": row, "loser": row | {"source": "file:/a\x1bb", "targets": [four]}}
    refusal = {"source": two, "origin": one, "name": two, "reason": three, "hint": four, "quiet": False}
    trouble = {"source": two, "state": "degraded", "reason": one, "hint": three}
    lines = [*route_lines([row]), *conflict_lines([conflict]), *refusal_lines([refusal]), *trouble_lines([trouble])]
    assert len(lines) == 5
    lines += reason_lines([row])
    assert not {unicodedata.category(each) for line in lines for each in line} & {"Cc", "Cf", "Cs", "Zl", "Zp"}
