"""The page for people."""

import re

import pytest
from support.control import route
from support.source import ROOT

from devdns.core.routes import State
from devdns_proxy import own_live, own_relay, own_wire
from devdns_proxy.pages_home import MOST_ROWS, News, content, home

STATUS = {
    "routes": 2,
    "conflicts": 1,
    "zones": ["dev.test"],
    "problems": ["docker: <gone> - start it"],
    "sources": [{"source": "docker", "state": "degraded", "reason": "<gone>", "hint": "start it", "routes": 2}],
}
RATES = {
    "requests": 112.04,
    "errors": 1.5,
    "routes": [{"name": "web.dev.test", "requests": 12.04, "errors": 1.5}, {"name": "", "requests": 100, "errors": 0}],
}


def test_it_shows_names_targets_states_sources_and_problems():
    routes = [
        route("web", "3000", "docker", origin="container web-1", state=State.UNREACHABLE, reason="no <port>"),
        route("*.api", ["5173", "5174"]),
    ]
    text = home(routes, News(STATUS, RATES), 8080).decode()
    for piece in (
        '<a href="http://web.dev.test:8080">web.dev.test</a>',
        "<td>*.api.dev.test</td>",
        "http://127.0.0.1:5173<br>http://127.0.0.1:5174",
        "unreachable: no &lt;port&gt;",
        "docker<br><small>container web-1</small>",
        "<li>docker: &lt;gone&gt; - start it</li>",
        "2 routes, 1 conflict; 112 requests/s; zones: dev.test",
        "<td>12.0<br><small>1.5 failed</small></td>",
        "<td>&lt;gone&gt; - start it</td>",
    ):
        assert piece in text
    assert text.index("*.api.dev.test") < text.index("web.dev.test")


def test_a_large_table_is_cut_and_says_so():
    routes = [route(f"n{number}", "1") for number in range(MOST_ROWS + 5)]
    text = home(routes, News({**STATUS, "routes": 100_000}), None).decode()
    assert text.count('<tr id="routes-') == MOST_ROWS
    assert f"100000 routes, {MOST_ROWS} of them below" in text


def test_without_control_it_still_names_the_routes():
    text = home([route("web")], News(), None).decode()
    assert "control does not answer now" in text
    assert "web.dev.test" in text


def test_the_whole_page_is_its_content_in_a_frame_and_every_row_has_an_id_of_its_own():
    routes = [route("web"), route("web/v2"), route("*.api")]
    text, inside = home(routes, News(STATUS, RATES), 8080).decode(), content(routes, News(STATUS, RATES), 8080)
    assert f"<main>{inside}</main>" in text
    assert '<script src="/page.js" defer></script>' in text
    ids = re.findall(r' id="([^"]+)"', inside)
    assert len(ids) == len(set(ids))
    assert {"routes-web.dev.test", "routes-web.dev.test/v2", "routes-*.api.dev.test", "sources-docker"} <= set(ids)


def test_hostile_texts_stay_texts():
    evil = "<script>alert(1)</script>\"'\x1b[2J\u202e"
    status = {**STATUS, "problems": [evil], "sources": [{**STATUS["sources"][0], "source": evil, "reason": evil}]}
    text = home([route("web", source=evil, origin=evil, reason=evil)], News(status, RATES), None).decode()
    assert text.count("<script") == 1
    assert "\x1b" not in text
    assert "\u202e" not in text


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("IDLE", f"{own_wire.IDLE:g} s"),
        ("BODY_TIME", f"{own_relay.BODY_TIME:g} s"),
        ("STALL", f"{own_relay.STALL:g} s"),
        ("MOST_LOOKING", str(own_live.MOST_LOOKING)),
    ],
)
def test_the_limits_are_documented_as_they_are(name, value):
    assert f"| `{name}` | {value} |" in (ROOT / "proxy" / "README.md").read_text()


def test_faults_on_purpose_are_to_be_looked_at():
    faults = [{"name": "api.dev.test", "faults": "error 100 %"}]
    text = content([], News({**STATUS, "problems": [], "chaos": faults}), 8080)
    assert "<li>api.dev.test fails on purpose: error 100 %</li>" in text
