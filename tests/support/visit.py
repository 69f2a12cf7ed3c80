"""What a browser makes of pages: run inside a machine of the tests, with a home, `chromium` or `firefox`, and URLs.

Prints a line of JSON for each URL: what the page's event stream and WebSocket said, or why the browser refused it.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from support import browser as chrome
from support import firefox as fox

PROFILE = Path(".mozilla", "firefox", "throwaway.default")
#: Opens both on the page's own origin, and then what its query asks for, one after the other; a failure is a word, too.
LIVE = """(async () => {
    const events = () => new Promise((done) => {
        const stream = new EventSource("/events");
        stream.onmessage = (event) => { stream.close(); done(event.data); };
        stream.onerror = () => done("no events");
    });
    const socket = (url) => new Promise((done) => {
        const socket = new WebSocket(url);
        socket.onopen = () => socket.send("hello");
        socket.onmessage = (event) => { socket.close(); done(event.data); };
        socket.onerror = () => done("no socket");
    });
    const page = (url) => fetch(url).then((answer) => answer.text()).catch(String);
    const [loaded] = performance.getEntriesByType("navigation");
    const said = [loaded.nextHopProtocol, await events(), await socket(location.origin.replace("http", "ws") + "/socket")];
    for (const url of new URLSearchParams(location.search).getAll("ask"))
        said.push(await (url.startsWith("ws") ? socket : page)(url));
    return [document.title, ...said].join(" | ");
})()"""


def by_chromium(home: Path, urls: list[str]) -> list[str]:
    """With the store that Chromium has in its user's home; the last line tells how all was carried."""
    os.environ["HOME"] = str(home)
    with chrome.browser() as running:
        target = running.ask("Target.createTarget", url="about:blank")["targetId"]
        session = running.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        running.ask("Network.enable", session)
        said = [_chromium_said(running, session, url) for url in urls]
        return [*said, " | ".join(each for each in running.carried if not each.startswith("Other"))]  # the icon


def _chromium_said(running: chrome.Browser, session: str, url: str) -> str:
    if error := running.ask("Page.navigate", session, url=url).get("errorText"):
        return str(error)
    done = running.ask("Runtime.evaluate", session, expression=LIVE, awaitPromise=True, returnByValue=True)
    return str(done["result"].get("value") or done)


def by_firefox(home: Path, urls: list[str]) -> list[str]:
    """With the store of a profile that no Firefox has used before."""
    with fox.firefox(home, home / PROFILE) as running:
        return [_firefox_said(running, url) for url in urls]


def _firefox_said(running: fox.Firefox, url: str) -> str:
    try:
        running.open(url)
        return str(running.say(LIVE))
    except fox.Refused as refused:
        return str(refused)


if __name__ == "__main__":
    visit = {"chromium": by_chromium, "firefox": by_firefox}[sys.argv[1]]
    for line in visit(Path(sys.argv[2]), sys.argv[3:]):
        sys.stdout.write(json.dumps(line) + "\n")
