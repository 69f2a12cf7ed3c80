"""With the CA trusted, programs and browsers take what devdns serves, and nothing that a thief of its key could sign.

No flag of any of them is changed: what they trust is what stands in the stores of the machine and of the home.
"""

from __future__ import annotations

import json
import os
import sys

import pytest
from support.odd_leaves import NAMES
from support.parts import need
from support.trust_room import TESTS

LIVE = "the app | {} | an event | app.dev.test at {} heard hello"
OTHER = "other.dev.test at 8999 heard hello | other.dev.test at 8999 | sealed.dev.test at 9001"
#: How Chromium had the page, its events and its sockets, and what the page asked others for: all but the last of those by HTTP/2.
CARRIED = "Document h2 | EventSource h2 | WebSocket 200" + " | WebSocket 200 | Fetch h2 | Fetch http/1.1" * 2
PYTHON = "import sys, urllib.request as u; u.urlopen(sys.argv[1], timeout=10).read()"
REFUSED = {
    "curl": "subtree violation",
    "python": "subtree violation",
    "chromium": "ERR_CERT_INVALID",
    "firefox": "SEC_ERROR_CERT_NOT_IN_NAME_SPACE",
}
UNKNOWN = {
    "curl": "unable to get local issuer",
    "python": "unable to get local issuer",
    "chromium": "ERR_CERT_AUTHORITY_INVALID",
    "firefox": "SEC_ERROR_UNKNOWN_ISSUER",
}
COMMANDS = {
    "curl": ["curl", "--silent", "--show-error", "--max-time", "10"],
    "python": [sys.executable, "-c", PYTHON],
}
BROWSERS = ("chromium", "firefox")


def _visit(machine, browser, urls):
    """What the browser said of each page."""
    need(*{"chromium": ["chromium"], "firefox": ["firefox-esr"]}[browser])
    command = [sys.executable, "-m", "support.visit", browser, str(machine.room.home), *urls]
    done = machine.room.run(*command, env={**os.environ, "PYTHONPATH": str(TESTS)})
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("program", COMMANDS)
def test_a_program_takes_what_devdns_serves(machine, program):
    done = machine.room.run(*COMMANDS[program], machine.good)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("program", COMMANDS)
def test_a_program_refuses_what_the_ca_may_not_sign(machine, program):
    for kind, url in machine.odd.items():
        said = machine.room.run(*COMMANDS[program], url).stderr
        wanted = {"app": "", "stranger": UNKNOWN[program]}.get(kind, REFUSED[program])
        assert wanted in said, kind
        assert bool(said) is bool(wanted), kind


@pytest.mark.parametrize("browser", BROWSERS)
def test_a_browser_takes_the_page_its_events_and_its_socket_and_no_other_leaf(machine, browser):
    """In one run, so that what it refuses shows that it looks at all. What the page asks of other names is each time theirs."""
    good, *odd = _visit(machine, browser, [machine.good, *machine.odd.values()])
    assert good == " | ".join([LIVE.format("h2", 9000), OTHER, OTHER])
    if browser == "chromium":
        assert odd.pop().startswith(CARRIED)
    said = dict(zip(machine.odd, odd, strict=True))
    assert said.pop("app") == LIVE.format("http/1.1", 9001)
    assert UNKNOWN[browser] in said.pop("stranger")
    assert [kind for kind, why in said.items() if REFUSED[browser] not in why] == []


@pytest.mark.parametrize("kind", NAMES)
def test_openssl_verifies_the_names_of_the_zone_only(machine, kind):
    chain, _ = machine.leaves[kind]
    done = machine.room.run("openssl", "verify", "-CAfile", str(machine.room.state / "ca.pem"), str(chain))
    assert (done.returncode == 0) is (kind == "app"), done.stdout + done.stderr
    assert ("permitted subtree violation" in done.stderr) is (kind not in ("app", "stranger"))


def test_status_says_who_trusts_it(machine):
    """And who does not, with the command that mends it."""
    (line,) = [line for line in machine.room.devdns("status").out.splitlines() if line.startswith("trusted ")]
    assert line == "trusted system store (Debian), Firefox profile throwaway.default, Chromium and its kin"
    stranger = machine.room.devdns("status", HOME=str(machine.room.folder / "nobody's")).out
    (line,) = [line for line in stranger.splitlines() if line.startswith("trusted ")]
    assert line == "trusted system store (Debian); not Chromium and its kin - devdns trust"
