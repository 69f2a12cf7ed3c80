"""Why a name goes where it goes: questions, verdicts, and lines for people."""

import errno
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from support.control import ZONES, route

from devdns.control.checks import _words, check_all
from devdns.control.explain import Check, Facts, Question, explain, near_name, parse_question
from devdns.core.errors import NameRefused
from devdns.core.routes import Route, RouteTable, State, parse_raw_target
from devdns.core.sources import Refusal

TABLE = RouteTable(
    [
        route("api", "5173", origin="devdns.yml:2", source="file:/w/devdns.yml"),
        route("api/v2", "9000", origin="devdns.yml:3", source="file:/w/devdns.yml"),
        route("*.docs", "4000", origin="devdns add"),
        route("down", "5999", "docker", state=State.RESTARTING, reason="the container restarts", origin="container x"),
    ]
)
FACTS = Facts(ZONES)


@pytest.mark.parametrize(
    ("name", "host", "path"),
    [
        ("api", "api.dev.test", "/"),
        ("API.", "api", "/"),
        ("api.shop", "api.shop.dev.test", "/"),
        ("api/v2", "api.dev.test", "/v2"),
        ("api/v2?x=/y", "api.dev.test", "/v2"),
        ("*.api", "*.api.dev.test", "/"),
        ("cart.shop.test", "cart.shop.test", "/"),
        ("dev.test", "dev.test", "/"),
        ("localhost", "localhost", "/"),
        ("api.test", "api.test", "/"),
        ("http://API.dev.test:8080/v2/x?y#z", "api.dev.test", "/v2/x"),
        ("https://user:pass@api.dev.test", "api.dev.test", "/"),
        ("http://example.com/", "example.com", "/"),
        ("http://[::1]:8080/", "[::1]", "/"),
    ],
)
def test_a_question_is_a_name_or_a_url(name, host, path):
    found = parse_question(name, ZONES)
    assert (found.host, found.path) == (host, path)


@pytest.mark.parametrize("name", ["", "a_b", "*", "http://", "http://[::1", "http://a b/", "-x", "a..b", "x" * 64])
def test_what_is_no_name_is_refused(name):
    with pytest.raises(NameRefused):
        parse_question(name, ZONES)


@given(st.text(max_size=300))
def test_any_text_is_a_question_or_is_refused(name):
    try:
        found = explain(parse_question(name, ZONES), TABLE, FACTS)
    except NameRefused:
        return
    assert found.lines


def told(name, facts=FACTS, *checks):
    return explain(parse_question(name, ZONES), TABLE, facts, checks)


UP = Check("http://127.0.0.1:5173", True, "a connect succeeds", 0.1)
DOWN = Check("http://127.0.0.1:5173", False, "connection refused: nothing listens there", 0.1, "start the service")


@pytest.mark.parametrize(
    ("name", "checks", "verdict", "where"),
    [
        ("api", (UP,), "live", "api.dev.test"),
        ("api", (DOWN,), "unreachable", "api.dev.test"),
        ("api", (DOWN, UP), "live", "api.dev.test"),
        ("api/v2/users", (UP,), "live", "api.dev.test/v2"),
        ("api/v20", (UP,), "live", "api.dev.test"),
        ("deep.in.docs", (UP,), "live", "*.docs.dev.test"),
        ("down", (DOWN,), "restarting", "down.dev.test"),
        ("docs", (), "unknown", None),
        ("nothing", (), "unknown", None),
        ("devdns", (), "own", None),
        ("dev.test", (), "own", None),
        ("localhost", (), "outside", None),
        ("http://example.com", (), "outside", None),
    ],
)
def test_a_verdict(name, checks, verdict, where):
    found = told(name, FACTS, *checks)
    assert found.verdict == verdict
    assert (found.route.name if found.route else None) == where


def test_a_known_name_tells_its_source_line_target_and_state():
    lines = "\n".join(told("api", FACTS, DOWN).lines)
    assert "http://127.0.0.1:5173" in lines
    assert "from /w/devdns.yml:2" in lines
    assert "not reachable: connection refused" in lines
    assert lines.endswith("start the service, or mend its target at /w/devdns.yml:2")


def test_a_live_route_that_does_not_answer_is_not_called_live():
    assert told("api", FACTS, UP).lines[0] == "api.dev.test -> http://127.0.0.1:5173: live"
    assert told("api", FACTS, DOWN).lines[0] == "api.dev.test -> http://127.0.0.1:5173: unreachable"


def test_a_route_added_by_hand_is_mended_by_hand():
    assert told("x.docs", FACTS, DOWN).hint == "start the service, or mend it with devdns add '*.docs' TARGET"


def test_a_route_without_a_target_leads_nowhere():
    table = RouteTable(
        [replace(route("nonet", source="docker", state=State.UNREACHABLE, reason="no network"), targets=())]
    )
    found = explain(parse_question("nonet", ZONES), table, FACTS)
    assert found.lines[0] == "nonet.dev.test -> nowhere: unreachable (no network)"


async def test_a_service_of_http_2_is_connected_to():
    with socket.create_server(("127.0.0.1", 0)) as server:
        checks = await check_all(route("rpc", f"h2c://127.0.0.1:{server.getsockname()[1]}").targets)
    assert [(each.reachable, each.detail) for each in checks] == [(True, "a connect succeeds")]


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ConnectionRefusedError(errno.ECONNREFUSED, "x"), "connection refused: nothing listens there"),
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "name or service not known"),
        (OSError(errno.EHOSTUNREACH, "x"), "no route to host"),
        (OSError("Multiple exceptions: a, b"), "multiple exceptions: a, b"),
    ],
)
def test_why_a_connect_fails_in_words(error, words):
    assert _words(error) == words


def test_a_name_in_other_letters_is_told_in_both_spellings():
    assert "bücher is xn--bcher-kva.dev.test in DNS and in URLs" in told("bücher").lines


@pytest.mark.parametrize("name", ["*", "*.*"])
def test_a_lone_star_is_refused_in_words(name):
    with pytest.raises(NameRefused, match="ask for a name such as api"):
        parse_question(name, ZONES)


def test_a_wildcard_says_that_it_covers_the_name():
    assert "x.docs.dev.test is covered by the wildcard *.docs.dev.test" in told("x.docs").lines


def test_beaten_claims_and_troubles_are_told():
    beaten = route("api", "1", "docker", origin="container api-1, label dev.route")
    facts = Facts(
        ZONES, beaten=(beaten,), troubles=(("file:/w/devdns.yml", "/w/devdns.yml:3: bad"), ("docker", "gone"))
    )
    lines = "\n".join(told("api", facts, UP).lines)
    assert "it beat a claim from docker, container api-1, label dev.route" in lines
    assert "its source is degraded, and its last routes are kept: /w/devdns.yml:3: bad" in lines
    assert "gone" not in lines


def test_an_unknown_name_tells_the_line_that_adds_it():
    found = told("ap")
    assert found.hint.startswith("devdns add ap PORT")
    assert "dev.route=ap" in found.hint


@pytest.mark.parametrize("wanted", ["db", "db.dev.test", "DB"])
def test_an_unknown_name_tells_why_a_source_did_not_make_it(wanted):
    refusal = Refusal("container shop-db-1", wanted, "several ports: 80, 443", "add dev.port", quiet=True)
    found = told("db", Facts(ZONES, refusals=(("docker", refusal),)))
    assert found.refusals == (("docker", refusal),)
    assert "refused from docker, container shop-db-1: several ports: 80, 443 - add dev.port" in found.lines
    assert found.hint == "add dev.port"
    assert not [line for line in found.lines if line.startswith("to add it")]


def test_faults_on_purpose_are_told():
    lines = told("api", Facts(ZONES, faults="error 100 %"), UP).lines
    assert "it fails on purpose: error 100 % - devdns chaos api.dev.test --off ends that" in lines


def test_an_unknown_name_points_to_near_ones_parents_and_broken_sources():
    facts = Facts(ZONES, troubles=(("docker", "the engine is gone"),))
    lines = "\n".join(told("apii", facts).lines)
    assert "a near name that exists: api.dev.test" in lines
    assert "because a source is degraded: docker: the engine is gone" in lines
    assert "*.docs.dev.test covers the names below it, not docs.dev.test itself" in told("docs").lines
    assert "the wildcard *.api.dev.test would" in "\n".join(told("x.api").lines)


def test_a_short_name_points_to_other_zones():
    table = RouteTable([route("cart.shop.test", "1")])
    assert "cart.shop.test exists" in explain(parse_question("cart", ZONES), table, FACTS).lines


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("api.dev.tset", "did you mean api.dev.test? the zone here is dev.test, not dev.tset"),
        ("v2.api.shop.tets", "did you mean v2.api.shop.test? the zone here is shop.test, not shop.tets"),
    ],
)
def test_a_mistyped_zone_is_told(name, line):
    assert line in told(name).lines


@pytest.mark.parametrize("name", ["dev.tset", "api.shop.old", "nope", "a.b.c", "x.dev.test"])
def test_other_names_are_not_taken_for_a_mistyped_zone(name):
    assert not [line for line in told(name).lines if line.startswith("did you mean")]


def test_a_path_without_a_route_names_the_ones_there_are():
    table = RouteTable([route("only/v2", "1")])
    found = explain(parse_question("only", ZONES), table, FACTS)
    assert "only.dev.test has routes, but none for the path /: only.dev.test/v2" in found.lines


def test_near_names_are_found_in_bounded_time():
    table = RouteTable([route(f"service-{number}", "1") for number in range(3_000)])
    assert near_name("service-1x.dev.test", "dev.test", table).startswith("service-")
    assert near_name("q.dev.test", "dev.test", RouteTable([route("web", "1")])) == ""


def test_a_question_stays_as_it_was_asked():
    assert told("api").question == Question("api", "api.dev.test", "/", short=True)


RAW = [
    Route(host="db.dev.test", port=port, address=address, targets=targets, source="manual", state=state)
    for port, address, targets, state in (
        (5432, "127.77.3.9", (parse_raw_target("172.17.0.3:5432"),), State.LIVE),
        (6379, "", (parse_raw_target("16379"),), State.UNREACHABLE),
    )
]


@pytest.mark.parametrize("name", ["db", "db:5432", "tcp://db.dev.test:5432", "tcp://db:5432/", "http://db.dev.test"])
def test_a_raw_tcp_name_tells_its_address_and_what_containers_get(name):
    found = explain(parse_question(name, ZONES), RouteTable(RAW), FACTS)
    lines = "\n".join(found.lines)
    assert lines.startswith("db.dev.test:5432 -> tcp://172.17.0.3:5432: live")
    assert "reach it at 127.77.3.9:5432" in lines
    assert "containers on the same network get 172.17.0.3" in lines
    assert "raw TCP under the same name: db.dev.test:6379" in lines


def test_a_raw_tcp_port_that_nobody_claims():
    found = explain(parse_question("db:1", ZONES), RouteTable(RAW), FACTS)
    assert (found.verdict, found.lines[0]) == ("unknown", "db.dev.test:1 is no place of raw TCP")
    assert "raw TCP under this name: db.dev.test:5432, db.dev.test:6379" in found.lines


def test_a_raw_tcp_route_added_by_hand_is_mended_by_hand():
    down = Check("tcp://172.17.0.3:5432", False, "connection refused: nothing listens there", 0.1, "start the service")
    found = explain(parse_question("db:5432", ZONES), RouteTable(RAW), FACTS, (down,))
    assert found.hint == "start the service, or mend it with devdns add db:5432 TARGET"
