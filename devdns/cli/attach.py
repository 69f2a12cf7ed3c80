"""One devdns per state folder: a further `devdns up` gives its routes file to the one that runs, which remembers it."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from devdns.cli import state
from devdns.cli.client import Body, Client, Unanswered
from devdns.cli.settings import read_file
from devdns.cli.show import address_text
from devdns.cli.text import clean, say
from devdns.core import config as core
from devdns.core.errors import NotRunning

RECORD = "attached.json"
ENDING_SECONDS = 25.0  # what a stopping devdns may take, as for `devdns down`
TURN = 0.02


def attached(state_dir: Path, path: Path | None, flags: Mapping[str, str]) -> bool:
    """True when the file went to the devdns that runs; False when none does, or it just ends. `flags` by variable."""
    until = time.monotonic() + ENDING_SECONDS
    while state.is_running(state_dir):
        try:
            _attach(state_dir, path, flags)
        except (NotRunning, Unanswered):
            if time.monotonic() > until:
                raise
            time.sleep(TURN)
        else:
            return True
    return False


def remembered(state_dir: Path) -> list[str]:
    """The files that were attached and not detached: they come back with the next `up`."""
    try:
        return msgspec.json.decode((state_dir / RECORD).read_bytes(), type=list[str])
    except (OSError, msgspec.MsgspecError):
        return []


def _attach(state_dir: Path, path: Path | None, flags: Mapping[str, str]) -> None:
    """The file becomes one more source of the running devdns; raises what its client does."""
    if state.record(state_dir).get("stopping"):
        raise NotRunning(f"devdns with the state folder {str(state_dir)!r} is stopping", "wait, or end it with kill -9")
    client = Client(state_dir)
    late = [*unheeded(flags, client.ask("GET", "/api/v1/status"))]
    if path is None:
        say(f"devdns is already running with the state folder {clean(state_dir)}")
    else:
        _give(client, path)
    for flag, fact in late:
        mend = "devdns down first, or give another --state-dir DIR"
        say(f"warning: {flag} does not count here: {clean(fact)} - {mend}", stream=sys.stderr)


def _give(client: Client, path: Path) -> None:
    ignored = read_file(path, routes_only=True).ignored
    new = client.ask("POST", "/api/v1/files", {"path": str(path)})["attached"]
    say(f"devdns is already running{'; attached' if new else ' with'} {clean(path)}")
    if new and ignored:
        keys = clean(", ".join(ignored))
        say(f"warning: only the routes of an attached file count, not its {keys}", stream=sys.stderr)


def unheeded(flags: Mapping[str, str], status: Body) -> Iterator[tuple[str, str]]:
    """The flags that ask for something else than what runs, each with what runs. Raises `ConfigRefused`."""
    wanted = core.load(None, flags)
    if "DEVDNS_ZONE" in flags and wanted.zones != tuple(status["zones"]):
        yield "--zone", f"its zone is {', '.join(status['zones'])}"
    for role, listen in (("dns", wanted.dns.listen), ("http", wanted.http.listen), ("https", wanted.https.listen)):
        running = status["listeners"].get(role, ())
        asked = {address for address in listen or () if address[1]}  # port 0 is any
        if asked - {(host, port) for host, port in running}:
            yield f"--{role}", f"it listens on {' '.join(map(address_text, running)) or 'nothing'}"
    proxies = sum(each["name"].startswith("proxy") for each in status["processes"])
    if "DEVDNS_WORKERS" in flags and wanted.workers != proxies:
        yield "--workers", f"it has {proxies}"
