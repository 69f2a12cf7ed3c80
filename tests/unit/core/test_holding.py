"""What is held while its service is down: for how long, under which reason, and who ends it."""

import pytest
from msgspec.structs import replace

from devdns.core.holding import Holding
from devdns.core.routes import Options, Route, State, Target


def route(name, port=1, owner="shop/api", hold=None):
    host = f"{name}.dev.test"
    return Route(
        host=host, targets=(Target("127.0.0.1", port),), source="docker", owner=owner, options=Options(hold=hold)
    )


API = route("api")


@pytest.fixture
def holding():
    held = Holding(15.0)
    held.fall("one", (API,), "container one stopped", 100.0)
    return held


def said(holding, now):
    return [(each.name, each.state, each.reason) for held in holding.routes(now).values() for each in held]


def test_what_fell_is_restarting_with_its_targets_and_the_reason(holding):
    assert holding.of("one") == (replace(API, state=State.RESTARTING, reason="container one stopped"),)
    assert said(holding, 114.9) == [("api.dev.test", State.RESTARTING, "container one stopped")]


def test_after_its_time_it_is_gone(holding):
    assert holding.due() == 115.0
    assert said(holding, 115.0) == []
    assert ("one" in holding, holding.due()) == (False, None)


def test_a_new_reason_gives_no_new_time(holding):
    holding.fall("one", (API,), "container one was removed", 110.0)
    assert said(holding, 114.9) == [("api.dev.test", State.RESTARTING, "container one was removed")]
    assert holding.due() == 115.0


def test_what_rose_and_fell_again_is_held_anew(holding):
    holding.rise("one")
    assert said(holding, 101.0) == []
    holding.fall("one", (API,), "again", 110.0)
    assert holding.due() == 125.0


def test_a_route_may_say_its_own_time_and_zero_is_none_at_all():
    holding = Holding(15.0)
    holding.fall("two", (route("a", hold=0.0), route("b", hold=1.0), route("c")), "down", 0.0)
    assert [name for name, _, _ in said(holding, 0.0)] == ["b.dev.test", "c.dev.test"]
    assert holding.due() == 1.0
    assert [name for name, _, _ in said(holding, 1.0)] == ["c.dev.test"]


def test_what_has_an_heir_is_held_no_longer(holding):
    holding.fall("two", (route("web", owner="web"),), "container two stopped", 100.0)
    holding.yield_to({"shop/api"})
    assert [name for name, _, _ in said(holding, 101.0)] == ["web.dev.test"]


def test_a_service_without_routes_is_not_held():
    holding = Holding(15.0)
    holding.fall("three", (), "down", 0.0)
    assert len(holding) == 0
