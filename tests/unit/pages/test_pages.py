"""The proxy's own pages: the right status and fields, everything that mends it, and nothing that runs or steers."""

import json
import sys
import unicodedata
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devdns_proxy.pages import distance, mends, nearest, render, url
from devdns_proxy.problems import Problem

HTML, JSON, PLAIN = "text/html", "application/json", "text/plain"
LIVE = ("api.dev.test", "shop.dev.test/v2", "web.dev.test")
UNKNOWN = Problem(404, "No route for aip.dev.test", "nothing has claimed it", host="aip.dev.test", path="/x", live=LIVE)
EVIL = "<script>alert(1)</script>\"'\x1b]0;x\x07\x9b31m\u202e\u2028&"


def body(problem, accept, **more):
    return render(problem, accept, **more)[2].decode()


def fields(problem, accept):
    return dict(render(problem, accept)[1])


class Page(HTMLParser):
    """Tags, links and text of a page."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.links, self.attributes = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [name for name, _ in attrs]
        self.links += [value for name, value in attrs if name == "href"]


@pytest.mark.parametrize("status", [400, 404, 421, 431, 502, 503, 504, 508])
@pytest.mark.parametrize(("accept", "kind"), [(HTML, "text/html"), (JSON, "application/json"), (PLAIN, "text/plain")])
def test_each_status_has_each_form(status, accept, kind):
    problem = Problem(status, "A title", "a detail", "devdns explain api", "api.dev.test", "/", retry_after=2)
    found, headers, text = render(problem, accept)
    assert found == status
    assert dict(headers)["Content-Type"].startswith(kind)
    assert dict(headers)["Retry-After"] == "2"
    assert dict(headers)["Cache-Control"] == "no-store"
    assert dict(headers)["X-Content-Type-Options"] == "nosniff"
    for word in ("a detail", "devdns explain api"):
        assert word.encode() in text


def test_waiting_is_offered_only_where_it_helps():
    assert "Retry-After" not in fields(UNKNOWN, HTML)
    assert "again" not in body(UNKNOWN, PLAIN)


def test_json_is_what_a_program_branches_on():
    found = json.loads(body(UNKNOWN, JSON))
    assert (found["error"], found["code"], found["host"]) == ("not_found", 404, "aip.dev.test")
    assert found["live"] == list(LIVE)
    assert "devdns add aip.dev.test PORT" in found["hint"]


def test_an_unknown_name_is_told_how_to_add_it_and_what_it_may_have_meant():
    text = body(UNKNOWN, PLAIN, port=8080)
    for line in (
        "404 No route for aip.dev.test",
        "to add it: devdns add aip.dev.test PORT",
        "or the label on its container: dev.route=aip.dev.test",
        "did you mean api.dev.test?",
        "Names (3)",
        "  http://shop.dev.test:8080/v2",
    ):
        assert line in text.splitlines()


def test_html_sets_commands_apart_from_prose_and_links_what_was_meant():
    text = body(UNKNOWN, HTML, port=8080)
    assert "<li>to add it: <code>devdns add aip.dev.test PORT</code></li>" in text
    assert '<li>did you mean <a href="http://api.dev.test:8080">api.dev.test</a>?</li>' in text
    assert "<li>connect again</li>" in body(Problem(421, "Not here", hint="connect again"), HTML)


def test_a_command_as_a_hint_says_what_for():
    assert "why: devdns explain api" in body(Problem(502, "It is down", hint="devdns explain api"), PLAIN).splitlines()


def test_the_request_id_is_told_where_there_is_one():
    assert "request_id" not in json.loads(body(UNKNOWN, JSON))
    assert json.loads(body(Problem(502, "It is down", request_id="r1"), JSON))["request_id"] == "r1"


def test_a_name_below_a_registered_one_is_told_of_the_wildcard():
    problem = Problem(404, "No route", host="v2.api.dev.test", live=LIVE)
    assert "devdns add '*.api.dev.test' PORT" in body(problem, PLAIN)


def test_the_problems_own_hint_comes_first_and_alone():
    problem = Problem(404, "No route", hint="paths with a route: /v2", host="shop.dev.test", live=LIVE)
    assert "devdns add" not in body(problem, PLAIN)
    assert body(problem, PLAIN).splitlines()[1] == "paths with a route: /v2"


def test_a_name_that_cannot_be_claimed_is_not_offered():
    text = body(Problem(404, "No route", host="a_b.dev.test"), PLAIN)
    assert "devdns add" not in text
    assert "a name holds no underscores: a-b.dev.test" in text.splitlines()
    assert body(Problem(404, "No route", host="_x.dev.test"), PLAIN) == "404 No route\n"


def test_live_names_are_links_with_the_clients_port_and_at_most_fifty():
    names = tuple(f"n{number}.dev.test" for number in range(120))
    text = body(Problem(404, "No route", host="x.dev.test", live=("*.wild.dev.test", *names)), HTML, port=8080)
    page = Page(text)
    assert len(page.links) == 49
    assert page.links[0] == "http://n0.dev.test:8080"
    assert "Names (50 of 121)" in text
    assert "<code>*.wild.dev.test</code>" in text


def edits_between(one: str, other: str) -> int:
    """The plain definition: the whole table, no bound."""
    rows = [[0] * (len(other) + 1) for _ in range(len(one) + 1)]
    for i in range(len(one) + 1):
        for j in range(len(other) + 1):
            ways = [i + j] if not (i and j) else []
            if i and j:
                ways = [rows[i - 1][j] + 1, rows[i][j - 1] + 1, rows[i - 1][j - 1] + (one[i - 1] != other[j - 1])]
                if i > 1 < j and one[i - 2 : i] == other[j - 2 : j][::-1]:
                    ways.append(rows[i - 2][j - 2] + 1)
            rows[i][j] = min(ways)
    return rows[-1][-1]


@given(st.text("abc.", max_size=12), st.text("abc.", max_size=12), st.integers(1, 5))
def test_distance_is_the_plain_one_up_to_its_bound(one, other, bound):
    assert distance(one, other, bound) == min(edits_between(one, other), bound)


def test_a_page_costs_little_although_many_long_names_are_alike():
    """Counted in steps and not in time: a 404 is made inside the loop that carries everybody's requests."""
    tail = "-branch-of-a-preview-deployment.some-team.preview.shop.dev.test"
    names = tuple(f"{left}{'m' * 150}{right}{tail}" for left in "abcdefg" for right in "hijklmn")
    problem = Problem(404, "No route", host=f"z{'m' * 150}y{tail}", live=names)
    steps = 0

    def count(frame, event, _):
        nonlocal steps
        steps += event == "line"
        return count

    before = sys.gettrace()
    sys.settrace(count)
    try:
        mends(problem)
    finally:
        sys.settrace(before)
    assert steps < 60_000


@pytest.mark.parametrize(
    ("name", "port", "expected"),
    [
        ("api.dev.test", None, "http://api.dev.test"),
        ("api.dev.test", 80, "http://api.dev.test"),
        ("api.dev.test/v2", 8080, "http://api.dev.test:8080/v2"),
        ("api.dev.test:8080", 9, "http://api.dev.test:8080"),
        ("*.api.dev.test", 8080, ""),
    ],
)
def test_where_a_name_leads(name, port, expected):
    assert url(name, port) == expected


def test_nothing_in_a_page_runs():
    problem = Problem(404, EVIL, EVIL, EVIL, host=EVIL, path=EVIL, live=(EVIL, "javascript:alert(1)"), request_id=EVIL)
    page = Page(body(problem, HTML))
    assert set(page.tags) <= {"html", "head", "meta", "title", "style", "body", "main", "h1", "h2", "p", "ul", "li", "code", "a", "small"}  # fmt: skip
    assert all(link.startswith("http://") for link in page.links)
    assert not [name for name in page.attributes if name.startswith("on")]
    policy = fields(problem, HTML)["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "script-src" not in policy
    assert policy.startswith("default-src 'none'; style-src 'sha256-")


@given(st.text(max_size=80), st.sampled_from([HTML, JSON, PLAIN]))
def test_no_text_steers_a_terminal_or_breaks_out_of_its_line(text, accept):
    problem = Problem(502, "A title", text, text, host=text, path=text, live=(text,), request_id=text, retry_after=1)
    shown = body(problem, accept)
    steering = {each for each in shown if unicodedata.category(each) in ("Cc", "Cf", "Cs", "Zl", "Zp")}
    assert steering <= {"\n"}
    plain = body(Problem(502, "A title", text, host=text), PLAIN)
    assert len(plain.splitlines()) == (2 if text else 1)


@pytest.mark.parametrize(
    ("host", "names", "found"),
    [
        ("aip.dev.test", ["web.dev.test", "api.dev.test"], "api.dev.test"),
        ("catalog.dev.test", ["api.dev.test", "catalgos.dev.test"], "catalgos.dev.test"),
        ("apii.dev.test", ["apx.dev.test", "api.dev.test"], "api.dev.test"),
        ("nope.dev.test", ["new.dev.test", "node.dev.test"], "node.dev.test"),
        ("ab.dev.test", ["cd.dev.test"], ""),
        ("api", ["api"], ""),
        ("shop", ["api", "web"], ""),
        ("api", [], ""),
    ],
)
def test_the_nearest_name_is_at_most_two_edits_away(host, names, found):
    assert nearest(host, names) == found


@given(st.text("ab", max_size=6), st.text("ab", max_size=6))
def test_distance_is_symmetric_and_bounded(one, other):
    assert distance(one, other, 99) == distance(other, one, 99)
    assert distance(one, other, 2) == min(distance(one, other, 99), 2)
    assert (distance(one, other, 99) == 0) == (one == other)


@pytest.mark.parametrize(
    ("one", "other", "edits"),
    [("", "", 0), ("", "ab", 2), ("api", "aip", 1), ("abcd", "badc", 2), ("kitten", "sitting", 3), ("ab", "b", 1)],
)
def test_distance_counts_edits(one, other, edits):
    assert distance(one, other, 99) == edits


def test_a_page_that_may_come_right_by_waiting_asks_again_by_itself():
    problem = Problem(503, "It is restarting", retry_after=1, reload=True)
    again = b'<meta http-equiv="refresh" content="1">'
    assert again in render(problem, HTML)[2]
    assert again not in render(problem, PLAIN)[2] + render(problem, JSON)[2]
    assert again not in render(Problem(503, "It is restarting", retry_after=1), HTML)[2]
