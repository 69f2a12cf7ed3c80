"""The page for people."""

from support.control import route

from devdns.core.routes import State
from devdns_proxy.pages_home import MOST_ROWS, home

STATUS = {
    "routes": 2,
    "conflicts": 1,
    "zones": ["dev.test"],
    "problems": ["docker: <gone> - start it"],
    "sources": [{"source": "docker", "state": "degraded", "reason": "<gone>", "hint": "start it", "routes": 2}],
}


def test_it_shows_names_targets_states_sources_and_problems():
    routes = [
        route("web", "3000", "docker", origin="container web-1", state=State.UNREACHABLE, reason="no <port>"),
        route("*.api", ["5173", "5174"]),
    ]
    text = home(routes, STATUS, 8080).decode()
    for piece in (
        '<a href="http://web.dev.test:8080">web.dev.test</a>',
        "<td>*.api.dev.test</td>",
        "http://127.0.0.1:5173<br>http://127.0.0.1:5174",
        "unreachable: no &lt;port&gt;",
        "docker<br><small>container web-1</small>",
        "<li>docker: &lt;gone&gt; - start it</li>",
        "2 routes, 1 conflicts; zones: dev.test",
        "<td>&lt;gone&gt; - start it</td>",
    ):
        assert piece in text
    assert text.index("*.api.dev.test") < text.index("web.dev.test")


def test_a_large_table_is_cut_and_says_so():
    routes = [route(f"n{number}", "1") for number in range(MOST_ROWS + 5)]
    text = home(routes, {**STATUS, "routes": 100_000}, None).decode()
    assert text.count("<tr>") == MOST_ROWS + 3
    assert f"100000 routes, {MOST_ROWS} of them below" in text


def test_without_control_it_still_names_the_routes():
    text = home([route("web")], None, None).decode()
    assert "control does not answer now" in text
    assert "web.dev.test" in text
