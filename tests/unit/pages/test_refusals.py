"""The problems the proxy states: each names the culprit, and the names offered are all there are."""

import pytest
from msgspec.structs import replace
from support.control import ZONES, route

from devdns.core.routes import RouteTable, State
from devdns_proxy.heads import Meaning
from devdns_proxy.pages import render
from devdns_proxy.refusals import down, live_names, unknown_name, unreachable


def asked(host):
    return Meaning(host, host.encode(), b"", b"", keep=True, own=False, loop=False)


def unknown(host, *names):
    table = RouteTable([route(name) for name in names])
    return unknown_name(asked(host), "/", table, live_names(table), ZONES)


def test_the_page_counts_every_name_and_shows_fifty():
    problem = unknown("x.dev.test", *(f"n{number}" for number in range(61)))
    assert len(problem.live) == 61
    text = render(problem, "text/plain")[2].decode()
    assert "Names (50 of 61)" in text
    assert text.count("  http://") == 50


def test_a_near_name_is_found_beyond_the_fifty_that_are_shown():
    problem = unknown("zoo.dev.test", *(f"n{number}" for number in range(61)), "zo")
    assert "did you mean zo.dev.test?" in render(problem, "text/plain")[2].decode()


def test_a_wildcard_beside_the_name_is_told():
    detail = unknown("wild.dev.test", "*.wild").detail
    assert detail == "*.wild.dev.test covers the names below wild.dev.test, not wild.dev.test itself"


@pytest.mark.parametrize("target", ["5173", "unix:/run/app.sock", "h2c://127.0.0.1:1"])
def test_waiting_is_offered_whatever_is_spoken(target):
    assert unreachable(route("api", target), "/", "no answer", timed_out=False).retry_after == 1


@pytest.mark.parametrize(
    ("source", "origin", "end"),
    [
        ("file:/w/devdns.yml", "devdns.yml:2", "The route comes from /w/devdns.yml:2."),
        ("docker", "container api-1", "The route comes from docker, container api-1."),
        ("manual", "devdns add", "The route was added with devdns add."),
        ("manual", "", "The route was added by hand."),
    ],
)
def test_a_failed_route_says_who_made_it(source, origin, end):
    found = route("api", source=source, origin=origin)
    assert unreachable(found, "/", "no answer", timed_out=False).detail == f"no answer. {end}"


@pytest.mark.parametrize("names", [(), ("api",), ("*.gone",)])
def test_a_name_that_nothing_has_points_to_what_may_have_stopped_and_to_what_adds_it(names):
    text = render(unknown("gone.dev.test", *names), "text/plain")[2].decode()
    assert "why: devdns explain gone.dev.test\n" in text
    assert "to add it: devdns add gone.dev.test PORT\n" in text
    assert "nothing has claimed it" not in text


@pytest.mark.parametrize("reason", ["connection refused", "connection refused."])
def test_every_sentence_of_a_problem_ends(reason):
    ill = replace(route("api"), state=State.UNHEALTHY, reason=reason)
    assert down(ill, "/", 1.0).detail == "connection refused. The request waited 1.0 s for it."
    assert unreachable(ill, "/", reason, timed_out=False).detail.startswith("connection refused. The route ")
