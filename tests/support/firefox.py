"""A headless Firefox with a profile of its own, spoken to by WebDriver BiDi (W3C) over its WebSocket."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from websockets.sync.client import connect

from support.parts import need
from support.waiting import wait_until

LINE = "WebDriver BiDi listening on "
BOUND = 60.0  # its first start writes a profile
PREFERENCES = """
user_pref("app.update.enabled", false);
user_pref("browser.aboutwelcome.enabled", false);
user_pref("browser.shell.checkDefaultBrowser", false);
user_pref("datareporting.policy.dataSubmissionEnabled", false);
user_pref("network.captive-portal-service.enabled", false);
user_pref("network.connectivity-service.enabled", false);
user_pref("network.trr.mode", 5);
user_pref("security.OCSP.enabled", 0);
"""


class Refused(Exception):
    """The browser does not do what it was asked."""


class Firefox:
    """One session with one tab. What it sends on its own is passed over."""

    def __init__(self, wire) -> None:
        self._wire = wire
        self._numbers = itertools.count(1)
        self.ask("session.new", capabilities={})
        self._tab = self.ask("browsingContext.getTree")["contexts"][0]["context"]

    def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        """The result of one command; raises `Refused`."""
        number = next(self._numbers)
        self._wire.send(json.dumps({"id": number, "method": method, "params": parameters}))
        until = time.monotonic() + BOUND
        while True:
            told = json.loads(self._wire.recv(timeout=max(0, until - time.monotonic())))
            if told.get("id") == number:
                if told["type"] == "error":
                    raise Refused(f"{told['error']}: {told['message']}")
                return told["result"]

    def open(self, url: str) -> None:
        """Goes to a page and waits for its load; raises `Refused` with the browser's reason."""
        self.ask("browsingContext.navigate", context=self._tab, url=url, wait="complete")

    def say(self, expression: str) -> Any:
        """The value of an expression in the page, a promise awaited; raises `Refused` where it throws."""
        answer = self.ask("script.evaluate", expression=expression, target={"context": self._tab}, awaitPromise=True)
        if answer["type"] == "exception":
            raise Refused(answer["exceptionDetails"]["text"])
        return answer["result"].get("value")


@contextmanager
def firefox(home: Path, profile: Path) -> Iterator[Firefox]:
    """A browser with this home and this profile, ended with all its processes."""
    need("firefox-esr")
    profile.mkdir(parents=True, exist_ok=True)
    (profile / "user.js").write_text(PREFERENCES)
    log = home / "firefox.log"
    command = ["firefox-esr", "--headless", "--no-remote", "--remote-debugging-port", "0", "--profile", str(profile)]
    with log.open("wb") as out:
        running = subprocess.Popen(
            [*command, "about:blank"],
            env={**os.environ, "HOME": str(home), "MOZ_DISABLE_CONTENT_SANDBOX": "1"},
            stdout=out,
            stderr=out,
            stdin=subprocess.DEVNULL,
        )
    try:
        wait_until(lambda: LINE in log.read_text(errors="replace"), BOUND, "the start of Firefox")
        address = log.read_text(errors="replace").partition(LINE)[2].split()[0]
        with connect(f"{address}/session", max_size=None, open_timeout=BOUND, proxy=None) as wire:
            yield Firefox(wire)
    finally:
        running.terminate()
        try:
            running.wait(BOUND)
        except subprocess.TimeoutExpired:
            running.kill()
            running.wait()
