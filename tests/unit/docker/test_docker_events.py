"""Events of an engine: which concern us, what goes down with them, and what the journal says of them."""

import pytest

from devdns.providers.docker_causes import MOST, Causes
from devdns.providers.docker_events import Event, parse_event


def container(action, **said):
    return {"Type": "container", "Action": action, "Actor": {"ID": "1", "Attributes": {"name": "api", **said}}}


@pytest.mark.parametrize(
    ("event", "parsed"),
    [
        (container("start"), Event("1", "start")),
        (container("die", exitCode="137"), Event("1", "die", "container api stopped (exit code 137)")),
        (container("die", exitCode="\x1b[31m"), Event("1", "die", "container api stopped")),
        (container("died", containerExitCode="1"), Event("1", "died", "container api stopped (exit code 1)")),
        (
            container("kill", signal="9"),
            Event("1", "kill (SIGKILL)", "container api is being stopped", doubtful=True),
        ),
        (
            container("kill", signal="15"),
            Event("1", "kill (SIGTERM)", "container api is being stopped", doubtful=True),
        ),
        (container("kill", signal="1"), None),
        (container("kill"), None),
        (container("pause"), Event("1", "pause", "container api is paused: docker unpause api")),
        (container("destroy"), Event("1", "destroy", "container api was removed")),
        (container("health_status: unhealthy"), Event("1", "health_status: unhealthy")),
        (container("exec_start: true"), None),
        (container("create"), None),
        (container("die", name="\x1b]0;x\x07"), Event("1", "die", "container '\\x1b]0;x\\x07' stopped")),
        (
            {"Type": "network", "Action": "disconnect", "Actor": {"ID": "n", "Attributes": {"container": "1"}}},
            Event("1", "network disconnect"),
        ),
        ({"Type": "network", "Action": "destroy", "Actor": {"ID": "n"}}, None),
        ({"status": "start", "id": "1"}, Event("1", "start")),
        ({}, None),
    ],
)
def test_an_event_is_what_concerns_us_of_it(event, parsed):
    assert parse_event(event) == parsed


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["start"], "start"),
        (["start", "a look at its port"], "start, a look at its port"),
        (["start", "a look at its port", "a look at its port"], "start, a look at its port"),
        (["start", "a look at its port", "kill (SIGTERM)", "die", "stop"], "kill (SIGTERM), die"),
        (["start", "die", "destroy"], "die, destroy"),
        (["die", "network disconnect", "network connect", "start", "restart"], "start"),
        (["pause", "unpause", "a look at its port"], "unpause, a look at its port"),
    ],
)
def test_the_journal_says_what_came_last_and_what_followed_from_it(words, said):
    causes = Causes()
    for word in words:
        causes.note("1", word)
    assert causes.told({"1": "shop/api"}.get) == {"shop/api": said}


def test_causes_are_bounded_and_those_of_nobody_are_not_told():
    causes = Causes()
    for number in range(MOST + 10):
        causes.note(str(number), "start")
    assert len(causes.told(str)) == MOST
    assert causes.told(lambda _: "") == {}


@pytest.mark.parametrize(
    ("action", "hopeful"),
    [("start", True), ("unpause", True), ("health_status: healthy", True), ("die", False), ("destroy", False)],
)
def test_after_some_events_a_service_that_was_down_may_be_up(action, hopeful):
    assert parse_event(container(action)).hopeful is hopeful
