"""How the journal looks to people."""

import pytest

from devdns.cli.history import _cells, _lines

SIDE = {"state": "live", "targets": ["http://10.9.0.2:8000"], "reason": "", "source": "docker"}
DOWN = SIDE | {"state": "restarting", "reason": "container api stopped (exit code 137)"}
ENTRY = {"time": "2026-11-20T09:30:00.123Z", "name": "api.dev.test", "cause": "die", "count": 1, "reason": ""}


@pytest.mark.parametrize(
    ("entry", "cells"),
    [
        ({"kind": "change", "from": None, "to": SIDE}, ("api.dev.test", "live", "10.9.0.2:8000", "die")),
        (
            {"kind": "change", "from": SIDE, "to": DOWN},
            ("api.dev.test", "live -> restarting", "10.9.0.2:8000", "die (container api stopped (exit code 137))"),
        ),
        (
            {"kind": "change", "cause": f"probe: {DOWN['reason']}", "from": DOWN, "to": DOWN},
            ("api.dev.test", "restarting", "10.9.0.2:8000", "probe: container api stopped (exit code 137)"),
        ),
        ({"kind": "change", "from": DOWN, "to": None}, ("api.dev.test", "restarting -> gone", "10.9.0.2:8000", "die")),
        ({"kind": "many", "name": "", "count": 300, "from": None, "to": None}, ("-", "300 routes", "-", "die")),
        (
            {"kind": "failed", "count": 2, "reason": "the connection broke.", "from": None, "to": None},
            ("api.dev.test", "2 requests failed", "-", "the connection broke; die"),
        ),
    ],
)
def test_an_entry_is_one_row(entry, cells):
    time, *rest = _cells(ENTRY | entry)
    assert time.endswith(":00.123")
    assert tuple(rest) == cells


def test_nothing_is_said_to_be_nothing():
    assert _lines([]) == ["nothing has changed"]
    assert _lines([], since="10m") == ["nothing has changed in the last 10m"]
    assert _lines([], "api") == ["nothing of api has changed: devdns explain api says whether it has a route"]
    assert "\x1b" not in _lines([], "a\x1b[2Jpi", "\x1b[2J")[0]


def test_foreign_words_do_not_steer_the_terminal():
    evil = SIDE | {"reason": "e\x1b]0;pwned\x07v\u202eil", "targets": ["\x1b[31m"]}
    text = "\n".join(_lines([ENTRY | {"kind": "change", "cause": "\x9b31m", "from": None, "to": evil}]))
    assert "\\x1b]0;pwned\\x07v\\u202eil" in text
    assert not any(bad in text for bad in ("\x1b", "\x07", "\x9b", "\u202e"))
