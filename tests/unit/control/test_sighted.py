"""What several proxies see is put together, and said by explain."""

from time import time

from devdns.control.explain import Facts, explain, parse_question
from devdns.control.sighted import Sighted
from devdns.core.frames import FrameReader, encode
from devdns.core.names import Zones
from devdns.core.routes import Route, RouteTable, Target
from devdns.core.sightings import MOST_TEXT, Failure, Sightings, Trouble, cut

ONE = Target("127.0.0.1", 5173)
DOWN = Trouble(str(ONE), open=True, reason="connection refused", since=90.0, waiting=0)
HOPED = Trouble(str(ONE), open=False, reason="no route to host", since=95.0, waiting=3)


def test_targets_that_several_see_are_one():
    sighted = Sighted()
    sighted.hear("a", Sightings("proxy", (HOPED,)))
    assert sighted.of([ONE]) == (HOPED,)
    sighted.hear("b", Sightings("proxy", (DOWN,)))
    assert sighted.troubles() == (Trouble(str(ONE), open=True, reason="connection refused", since=90.0, waiting=3),)
    assert sighted.of([Target("127.0.0.1", 1)]) == ()
    sighted.leave("b")
    assert sighted.troubles() == (HOPED,)
    sighted.hear("a", Sightings("proxy"))
    assert sighted.troubles() == ()


def test_failures_are_added_up_and_the_last_is_told():
    sighted = Sighted()
    sighted.hear("a", Sightings("proxy", (), (Failure("api.dev.test", 2, 502, "refused", 10.0),)))
    sighted.hear("b", Sightings("proxy", (), (Failure("api.dev.test", 3, 503, "restarting", 11.0),)))
    assert sighted.failures() == {"api.dev.test": Failure("api.dev.test", 5, 503, "restarting", 11.0)}


def failed(count, at=10.0, route="api.dev.test"):
    return (Failure(route, count, 502, "refused", at),)


def test_what_failed_is_told_once():
    sighted, told = Sighted(), []
    sighted._since = 5.0
    sighted.failed = lambda *news: told.append(news)
    sighted.hear("a", Sightings("proxy", (), failed(2), "one life"))
    sighted.hear("a", Sightings("proxy", (), failed(2), "one life"))
    assert told == [("api.dev.test", 2, "502: refused")]
    sighted.leave("a")
    sighted.hear("b", Sightings("proxy", (), failed(5), "one life"))
    assert told[1:] == [("api.dev.test", 3, "502: refused")]
    sighted.hear("c", Sightings("proxy", (), failed(1), "another"))
    assert told[2:] == [("api.dev.test", 1, "502: refused")]


def test_what_failed_before_this_control_is_no_news():
    sighted, told = Sighted(), []
    sighted._since = 50.0
    sighted.failed = lambda *news: told.append(news)
    sighted.hear("a", Sightings("proxy", (), failed(2, at=49.0), "life"))
    assert told == []
    sighted.hear("a", Sightings("proxy", (), failed(3, at=51.0), "life"))
    assert told == [("api.dev.test", 1, "502: refused")]


def test_explain_says_what_the_proxies_do():
    route = Route(host="web.dev.test", targets=(ONE,), source="manual")
    table, zones = RouteTable([route]), Zones()
    question = parse_question("web", zones)
    found = explain(question, table, Facts(zones, seen=(DOWN,), now=100.0))
    assert found.seen == (DOWN,)
    line = (
        "the proxy could not reach it for 10 s: connection refused; its circuit breaker is open: requests fail at once"
    )
    assert line in found.lines
    found = explain(question, table, Facts(zones, seen=(HOPED,), now=100.0))
    assert any("requests that wait: 3" in said for said in found.lines)


def test_it_is_a_frame_and_its_texts_have_a_bound():
    long = cut("x" * 1_000)
    assert len(long) == MOST_TEXT
    seen = Sightings("proxy", (DOWN, HOPED), (Failure("api.dev.test", 2, 502, long, 10.0),), "life")
    assert list(FrameReader().feed(encode(seen))) == [seen]


def test_requests_that_failed_are_told_once_by_how_many_more_they_are():
    told, sighted = [], Sighted()
    sighted.failed = lambda *more: told.append(more)

    def seen(count, life="one", at=None):
        failure = Failure("api.dev.test", count, 503, "it is restarting", time() + 1 if at is None else at)
        return Sightings("proxy-1", (), (failure,), life)

    sighted.hear(1, seen(2))
    sighted.hear(1, seen(5))
    sighted.leave(1)
    sighted.hear(2, seen(5))  # it only lost its connection
    sighted.hear(3, seen(1, "two"))
    sighted.hear(4, seen(9, "three", at=0.0))  # all of it was told to the control before this one
    why = "503: it is restarting"
    assert told == [("api.dev.test", 2, why), ("api.dev.test", 3, why), ("api.dev.test", 1, why)]
