"""Verdicts over targets, and what they make of a route."""

import pytest

from devdns.core.health import FAILURES, PATIENCE, Absence, Asked, Pulse, Verdict, asked, felt, judged, pause
from devdns.core.routes import Options, Route, State, Target

ONE, TWO = Target("10.9.0.2", 8000), Target("10.9.0.3", 8000)
WHY = "GET /healthz of http://10.9.0.2:8000 answers 503"
NOBODY = Absence("connection refused")
GONE = Pulse(1.0, Verdict.GONE, 3, NOBODY)
WELL, NEW, ILL = Pulse(0.0, Verdict.WELL), Pulse(0.0), Pulse(0.0, Verdict.ILL, 3, WHY)


def route(*targets, name="api.dev.test", state=State.LIVE, **options):
    return Route(host=name, targets=targets, source="docker", state=state, options=Options(**options))


def after(pulse, *outcomes, now=1.0):
    for outcome in outcomes:
        pulse = felt(pulse, outcome, now)
    return pulse


@pytest.mark.parametrize(
    ("before", "outcomes", "now", "verdict"),
    [
        (NEW, [""], 1.0, Verdict.WELL),
        (NEW, ["x"] * 50, PATIENCE - 1, Verdict.UNKNOWN),
        (NEW, ["x"] * FAILURES, PATIENCE, Verdict.ILL),
        (WELL, ["x"] * (FAILURES - 1), 1.0, Verdict.WELL),
        (WELL, ["x", "x", "", "x", "x"], 1.0, Verdict.WELL),
        (WELL, ["x"] * FAILURES, 1.0, Verdict.ILL),
        (ILL, ["x"], 1.0, Verdict.ILL),
        (WELL, [NOBODY] * (FAILURES - 1), 1.0, Verdict.WELL),
        (WELL, [NOBODY] * FAILURES, 99.0, Verdict.GONE),
        (WELL, ["x", "x", NOBODY], 1.0, Verdict.GONE),
        (GONE, [NOBODY], 15.9, Verdict.GONE),
        (GONE, [NOBODY], 16.0, Verdict.ILL),
        (GONE, ["x"], 15.9, Verdict.GONE),
        (GONE, [""], 99.0, Verdict.WELL),
        (NEW, [NOBODY] * FAILURES, PATIENCE, Verdict.ILL),
        (ILL, [NOBODY], 1.0, Verdict.ILL),
        (ILL, [""], 1.0, Verdict.WELL),
    ],
)
def test_verdicts(before, outcomes, now, verdict):
    assert after(before, *outcomes, now=now).verdict is verdict


@pytest.mark.parametrize(
    ("pulse", "interval", "now", "seconds"),
    [
        (NEW, 10.0, 0.0, 0.02),
        (NEW, 10.0, 3.0, 0.03),
        (NEW, 10.0, 10.0, 0.1),
        (WELL, 10.0, 99.0, 10.0),
        (WELL, 0.5, 99.0, 0.5),
        (after(WELL, "x"), 10.0, 99.0, 0.1),
        (after(WELL, "x", "x", "x", "x"), 10.0, 99.0, 0.15),
        (after(WELL, *["x"] * 50), 10.0, 99.0, 2.0),
        (after(WELL, *["x"] * 50), 1.0, 99.0, 1.0),
        (GONE, 10.0, 1.0, 0.02),
        (GONE, 10.0, 11.0, 0.1),
    ],
)
def test_pauses(pulse, interval, now, seconds):
    assert pause(pulse, interval, now) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("pulses", "targets", "state", "reason"),
    [
        ([WELL, WELL], (ONE, TWO), State.LIVE, ""),
        ([ILL, WELL], (TWO,), State.LIVE, ""),
        ([NEW, WELL], (TWO,), State.LIVE, ""),
        ([ILL, NEW], (TWO,), State.STARTING, WHY),
        ([NEW, NEW], (ONE, TWO), State.STARTING, "/healthz has not answered yet"),
        ([ILL, ILL], (ONE, TWO), State.UNHEALTHY, WHY),
        ([GONE, WELL], (TWO,), State.LIVE, ""),
        ([GONE, GONE], (ONE, TWO), State.RESTARTING, NOBODY),
        ([ILL, GONE], (TWO,), State.RESTARTING, NOBODY),
        ([NEW, GONE], (TWO,), State.RESTARTING, NOBODY),
    ],
)
def test_a_pool_is_as_well_as_its_targets(pulses, targets, state, reason):
    by_target = dict(zip((ONE, TWO), pulses, strict=True))
    found = judged(route(ONE, TWO, health="/healthz"), lambda each: by_target[each.target])
    assert (found.targets, found.state, found.reason) == (targets, state, reason)


@pytest.mark.parametrize(
    "plain", [route(ONE), route(ONE, health="/healthz", state=State.RESTARTING), route(ONE, state=State.STARTING)]
)
def test_what_is_not_live_or_does_not_say_how_is_not_asked(plain):
    assert asked(plain) == ()
    assert judged(plain, {}.__getitem__) is plain


def test_a_service_is_asked_by_the_name_that_it_is_sent():
    (each,) = asked(route(ONE, name="*.api.dev.test", health="/healthz", interval=2.0))
    assert each == Asked(ONE, "/healthz", "api.dev.test", 2.0)
    (each,) = asked(route(ONE, health="tcp", host="localhost:8000"))
    assert (each.path, each.host, each.interval) == ("tcp", "localhost:8000", 10.0)


def test_a_service_may_be_gone_for_as_long_as_its_route_says():
    assert [each.hold for each in asked(route(ONE, health="tcp", hold=20.0), 5.0)] == [20.0]
    assert [each.hold for each in asked(route(ONE, health="tcp"), 5.0)] == [5.0]
    assert felt(GONE, NOBODY, 6.0, 5.0).verdict is Verdict.ILL
    assert felt(GONE, NOBODY, 6.0, 20.0).verdict is Verdict.GONE
    assert after(WELL, *[NOBODY] * 9).verdict is Verdict.GONE
    assert felt(after(WELL, *[NOBODY] * 9), NOBODY, 1.0, 0.0).verdict is Verdict.ILL
