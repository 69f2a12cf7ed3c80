"""What is held for a container that was removed: for itself made anew, not against a newcomer."""

import pytest

from devdns.core.routes import Route, Target
from devdns.providers.docker_memory import Memory


def route(owner, host="api.dev.test"):
    return Route(host=host, targets=(Target("10.0.0.1", 8000),), source="docker:x", owner=owner)


@pytest.fixture
def memory():
    memory = Memory(15.0)
    memory.fall("old", [route("api")], "container api stopped", 100.0)
    return memory


def held(memory):
    return [each.owner for routes in memory.holding.routes(101.0).values() for each in routes]


@pytest.mark.parametrize(
    ("removed", "before", "after", "left"),
    [
        pytest.param(True, [], [route("other")], [], id="a newcomer takes the name"),
        pytest.param(True, [], [], ["api"], id="nobody else wants it"),
        pytest.param(True, [], [route("other", "www.dev.test")], ["api"], id="a newcomer of another name"),
        pytest.param(
            True, [route("rival")], [route("rival")], ["api"], id="who claimed it before has no more right now"
        ),
        pytest.param(
            True, [route("rival")], [route("rival"), route("other")], [], id="a newcomer ends the hold for all"
        ),
        pytest.param(False, [], [route("other")], ["api"], id="only stopped, it may come back"),
    ],
)
def test_who_may_take_a_held_name(memory, removed, before, after, left):
    if removed:
        memory.bury("old", before)
    memory.inherit(after)
    assert held(memory) == left


def test_nothing_is_kept_of_a_container_whose_hold_is_over(memory):
    memory.bury("old", [])
    memory.holding.rise("old")
    memory.inherit([])
    assert memory._removed == {}


def test_a_container_that_nothing_is_held_for_leaves_nothing(memory):
    memory.bury("unknown", [])
    assert memory._removed == {}
