"""Errors as people and scripts meet them: one line with its mend, and an exit code."""

import json

import pytest

from devdns.control.answers import refusal
from devdns.core.errors import (
    WORDS,
    ConfigRefused,
    DevdnsError,
    FrameRefused,
    NameRefused,
    NotRunning,
    TargetRefused,
    UsageRefused,
)
from devdns_proxy.pages import render
from devdns_proxy.problems import Problem


@pytest.mark.parametrize(
    ("kind", "code"),
    [(DevdnsError, 1), (NameRefused, 2), (TargetRefused, 2), (UsageRefused, 2), (NotRunning, 3), (FrameRefused, 1)],
)
def test_exit_codes_and_lines(kind, code):
    assert (kind.exit_code, str(kind("it failed")), str(kind("it failed", "do this"))) == (
        code,
        "it failed",
        "it failed - do this",
    )
    assert isinstance(kind("x"), DevdnsError)


def test_a_configuration_says_each_problem_on_its_line():
    refused = ConfigRefused(["a: wrong", "b: wrong"], "devdns.yml", "mend it")
    assert str(refused) == "devdns.yml: a: wrong\ndevdns.yml: b: wrong - mend it"
    assert str(ConfigRefused(["devdns.yml:7: a: wrong"], "")) == "devdns.yml:7: a: wrong"
    assert (refused.exit_code, refused.problems, refused.where) == (2, ("a: wrong", "b: wrong"), "devdns.yml")


@pytest.mark.parametrize("status", [*WORDS, 418])
def test_a_status_is_the_same_word_from_the_api_and_from_the_proxy(status):
    _, _, page = render(Problem(status, "Title"), "application/json")
    assert (
        json.loads(page)["error"] == json.loads(refusal(status, "Detail").body)["error"] == WORDS.get(status, "error")
    )
