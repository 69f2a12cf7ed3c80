"""`devdns chaos` on a running devdns: in force at once, seen in status, over by itself, and gone with a control that crashed."""

import pytest
from support.services import Service
from support.stack import Stack
from support.waiting import wait_until

NAME = "api.dev.test"


@pytest.fixture
def stack(tmp_path):
    with Service() as service, Stack(tmp_path, f"routes: {{api: {service.port}}}\n") as running:
        yield running


def status(stack):
    return stack.get(NAME)[0]


def test_it_begins_at_once_is_shown_and_ends_when_told(stack):
    assert status(stack) == 200
    stack.run("chaos", "api", "--error", "100%", "--for", "1h", check=0)
    wait_until(lambda: status(stack) == 503, what="the fault")
    assert b"to end it now: devdns chaos api.dev.test --off" in stack.get(NAME)[1]
    assert "chaos  api.dev.test: error 100 %" in stack.run("routes").stdout
    assert "it fails on purpose: error 100 %" in stack.run("explain", "api").stdout
    assert stack.json("status")["chaos"][0]["faults"] == "error 100 %"
    assert "api.dev.test: error 100 %, for " in stack.run("chaos", check=0).stdout
    stack.run("chaos", "api", "--off", check=0)
    wait_until(lambda: status(stack) == 200, what="the end of the fault")
    assert stack.json("chaos")["chaos"] == []


def test_it_ends_by_itself(stack):
    stack.run("chaos", "api", "--error", "100%", "--for", "1s", check=0)
    wait_until(lambda: status(stack) == 503, what="the fault")
    wait_until(lambda: status(stack) == 200, what="the end of the fault")
    wait_until(lambda: stack.json("chaos")["chaos"] == [], what="the end in the list")


def test_a_control_that_is_started_again_has_no_faults_and_says_so(stack):
    stack.run("chaos", "api", "--error", "100%", "--for", "1h", check=0)
    wait_until(lambda: status(stack) == 503, what="the fault")
    stack.kill("control")
    wait_until(lambda: status(stack) == 200, what="the end of the fault")


def test_what_cannot_be_is_one_line(stack):
    for arguments, code, words in (
        (["nobody", "--error", "5%"], 1, "no route 'nobody'"),
        (["api"], 2, "no fault is named"),
        (["api", "--error", "5"], 2, "error: '5' is not a share of requests"),
        (["api", "--off"], 1, "api.dev.test has no faults"),
        (["--error", "5%"], 2, "devdns chaos NAME --latency 300ms"),
        (["--off"], 2, "devdns chaos NAME --off"),
    ):
        ran = stack.run("chaos", *arguments, check=code)
        assert words in ran.stderr
        assert ran.stderr.count("\n") == 1
