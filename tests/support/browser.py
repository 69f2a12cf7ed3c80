"""A headless Chromium, spoken to by its own protocol (Chrome DevTools, over a WebSocket): what a person would see."""

from __future__ import annotations

import itertools
import json
import subprocess
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from websockets.sync.client import connect

from support.parts import need
from support.waiting import wait_until

LINE = "DevTools listening on "
BOUND = 20.0
FLAGS = (
    "--headless",
    "--no-sandbox",  # tests may run as root, where it refuses to start with one
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--no-proxy-server",
    "--remote-debugging-port=0",
    "--host-resolver-rules=MAP *.test 127.0.0.1",
)


@contextmanager
def browser():
    """A browser for which every name below `.test` is 127.0.0.1; ended with all its processes."""
    need("chromium")
    with tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True) as profile:
        log = Path(profile) / "stderr"
        with log.open("wb") as errors:
            command = ["chromium", *FLAGS, f"--user-data-dir={profile}/profile", "about:blank"]
            running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=errors, stdin=subprocess.DEVNULL)
        try:
            wait_until(lambda: LINE in log.read_text(errors="replace"), BOUND, "the start of Chromium")
            address = log.read_text(errors="replace").partition(LINE)[2].split()[0]
            with connect(address, max_size=None, open_timeout=BOUND, proxy=None) as wire:
                yield Browser(wire)
        finally:
            running.terminate()
            try:
                running.wait(BOUND)
            except subprocess.TimeoutExpired:
                running.kill()
                running.wait()


class Refused(Exception):
    """The browser does not do what it was asked."""


class Browser:
    """Commands and answers by number; `complaints` are what pages were refused or failed at.

    `carried` is how what pages asked for was, where their `Network` is enabled: `Fetch h2`, and for a WebSocket the status
    of its handshake, which is 200 over HTTP/2 alone (RFC 8441).
    """

    def __init__(self, wire) -> None:
        self._wire = wire
        self._numbers = itertools.count(1)
        self._tabs: list[Tab] = []
        self.complaints: list[str] = []
        self.carried: list[str] = []

    def ask(self, method: str, session: str = "", **parameters: Any) -> dict[str, Any]:
        """The result of one command; raises `Refused`."""
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": parameters}
        self._wire.send(json.dumps(message | ({"sessionId": session} if session else {})))
        while True:
            told = json.loads(self._wire.recv(timeout=BOUND))
            if told.get("id") == number:
                if "error" in told:
                    raise Refused(f"{method}: {told['error']['message']}")
                return told["result"]
            self._note(told)

    def _note(self, told: dict[str, Any]) -> None:
        if told.get("method") == "Log.entryAdded":
            self.complaints.append(told["params"]["entry"]["text"])
        elif told.get("method") == "Runtime.exceptionThrown":
            self.complaints.append(json.dumps(told["params"]["exceptionDetails"]))
        elif told.get("method") == "Network.responseReceived":
            self.carried.append(f"{told['params']['type']} {told['params']['response']['protocol']}")
        elif told.get("method") == "Network.webSocketHandshakeResponseReceived":
            self.carried.append(f"WebSocket {told['params']['response']['status']}")

    def open(self, url: str, *, script: bool = True) -> Tab:
        """A new tab with that page in it, its load not waited for."""
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "DOM", "Log", "Runtime"):
            self.ask(f"{domain}.enable", session)
        if not script:
            self.ask("Emulation.setScriptExecutionDisabled", session, value=True)
        assert "errorText" not in self.ask("Page.navigate", session, url=url)
        self._tabs.append(Tab(self, session, target))
        return self._tabs[-1]

    def clear(self) -> None:
        """Closes every tab and forgets what was complained of."""
        for tab in self._tabs:
            self.ask("Target.closeTarget", targetId=tab.target)
        self._tabs.clear()
        self.complaints.clear()


class Tab:
    """One page."""

    def __init__(self, owner: Browser, session: str, target: str) -> None:
        self._owner = owner
        self._session = session
        self.target = target

    def html(self) -> str:
        """The document as it is now, scripts or not; empty while another is just taking its place."""
        with suppress(Refused):
            return self._html()
        return ""

    def _html(self) -> str:
        root = self._owner.ask("DOM.getDocument", self._session, depth=0)["root"]["nodeId"]
        return str(self._owner.ask("DOM.getOuterHTML", self._session, nodeId=root)["outerHTML"])

    def say(self, expression: str) -> Any:
        """The value of an expression in the page; fails where it throws."""
        result = self._owner.ask("Runtime.evaluate", self._session, expression=expression, returnByValue=True)
        assert "exceptionDetails" not in result, result["exceptionDetails"]
        return result["result"].get("value")

    def width(self, pixels: int) -> None:
        """Makes the screen so wide."""
        size = {"width": pixels, "height": 800, "deviceScaleFactor": 1, "mobile": False}
        self._owner.ask("Emulation.setDeviceMetricsOverride", self._session, **size)

    def text(self, selector: str) -> str | None:
        """What a person reads in the first element of that selector, None where there is none."""
        return self.say(f"document.querySelector({json.dumps(selector)})?.innerText ?? null")
