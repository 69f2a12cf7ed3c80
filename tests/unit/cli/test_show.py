import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devdns.cli.show import conflict_lines, near_path, refusal_lines, route_lines, source_text, target_text


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
        ("mdns", "mDNS service 'shop'", "mDNS service 'shop'"),
        ("mdns", "", "mdns: "),
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


def test_routes_stand_by_zone_then_upwards():
    rows = [route("b.a.test"), route("x.b.test"), route("a.test"), route("b.a.test", "/v2"), route("*.b.a.test")]
    names = [line.split()[0] for line in route_lines(rows)[1:]]
    assert names == [f"http://{each}" for each in ("a.test", "b.a.test", "b.a.test/v2", "*.b.a.test", "x.b.test")]


def test_no_routes_no_table():
    assert route_lines([]) == []


def test_a_state_comes_with_its_reason():
    assert "unhealthy (no answer)" in route_lines([route(state="unhealthy", reason="no answer")])[1]


def test_quiet_refusals_are_not_listed():
    row = {"source": "docker", "origin": "container x", "name": "a_b", "reason": "bad", "hint": "do so", "quiet": False}
    assert refusal_lines([row, row | {"quiet": True}]) == ["refused  a_b (container x): bad - do so"]


words = st.text(max_size=20)


@given(words, words, words, words)
def test_no_foreign_word_steers_the_terminal(one, two, three, four):
    row = route(name=one, targets=[two], origin=three, reason=four, source="docker")
    conflict = {"name": one, "winner": row, "loser": row | {"source": "file:/a\x1bb", "targets": [four]}}
    refusal = {"source": two, "origin": one, "name": two, "reason": three, "hint": four, "quiet": False}
    lines = [*route_lines([row]), *conflict_lines([conflict]), *refusal_lines([refusal])]
    assert len(lines) == 4
    assert not {unicodedata.category(each) for line in lines for each in line} & {"Cc", "Cf", "Cs", "Zl", "Zp"}
