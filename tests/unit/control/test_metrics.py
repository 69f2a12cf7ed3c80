"""The page of `/metrics`: read by Prometheus's own parser, whatever stands in it."""

from support.control import route
from support.figures import series, value

from devdns.control.metrics import Facts, own, page, render
from devdns.control.sources import Source
from devdns.core.figures import Family, Sample
from devdns.core.routes import State

PROCESSES = (
    {"name": "control", "pid": 1, "rss": 50_000_000, "restarts": 0, "state": "running"},
    {"name": "proxy-1", "pid": None, "rss": None, "restarts": 3, "state": "restarting"},
)
FACTS = Facts(
    routes=(route("api"), route("web"), route("old", state=State.UNREACHABLE)),
    generation=7,
    conflicts=2,
    refusals=1,
    uptime=1.5,
    sources=(Source('file:/a"b\\c\nd\udce9', "ok", routes=3), Source("docker", "degraded", "gone")),
    processes=PROCESSES,
)


def test_routes_claims_and_sources_are_told_whatever_a_source_is_called():
    text = page(FACTS, ())
    assert value(text, "devdns_routes") == 3
    assert value(text, "devdns_routes_by_state", state="live") == 2
    assert value(text, "devdns_routes_by_state", state="unreachable") == 1
    assert value(text, "devdns_routes_by_state", state="starting") == 0
    assert (value(text, "devdns_generation"), value(text, "devdns_conflicts")) == (7, 2)
    assert (value(text, "devdns_refusals"), value(text, "devdns_uptime_seconds")) == (1, 1.5)
    assert value(text, "devdns_source_up", source='file:/a"b\\c\nd\\udce9') == 1
    assert value(text, "devdns_source_up", source="docker") == 0
    assert value(text, "devdns_source_routes", source='file:/a"b\\c\nd\\udce9') == 3
    assert all(line.startswith((b"# HELP devdns_", b"# TYPE devdns_", b"devdns_")) for line in text.splitlines())


def test_children_are_told_where_a_supervisor_has_written_them_down():
    text = page(FACTS, ())
    assert value(text, "devdns_child_up", child="control") == 1
    assert value(text, "devdns_child_up", child="proxy-1") == 0
    assert value(text, "devdns_child_restarts_total", child="proxy-1") == 3
    assert value(text, "devdns_child_resident_bytes", child="control") == 5e7
    assert value(text, "devdns_child_resident_bytes", child="proxy-1") is None
    alone = Facts((), 0, 0, 0, 0.0, (), ())
    assert not any("child" in family.name for family in own(alone))


def test_a_histogram_keeps_its_parts_in_one_family():
    samples = (
        Sample(2, (("le", "0.5"),), "_bucket"),
        Sample(3, (("le", "+Inf"),), "_bucket"),
        Sample(1.25, (), "_sum"),
        Sample(3, (), "_count"),
    )
    text = render([Family("devdns_x_seconds", "histogram", "How long.\nAnd \\ more.", samples)])
    assert text.count(b"# TYPE") == 1
    assert series(text) == {
        ("devdns_x_seconds_bucket", frozenset({("le", "0.5")})): 2,
        ("devdns_x_seconds_bucket", frozenset({("le", "+Inf")})): 3,
        ("devdns_x_seconds_sum", frozenset()): 1.25,
        ("devdns_x_seconds_count", frozenset()): 3,
    }
