"""The names that a hosts file can hold: those of the routes in force."""

from __future__ import annotations

from pathlib import Path

from devdns.cli.client import Client
from devdns.core.errors import NotRunning


def known_names(state_dir: Path) -> tuple[str, ...]:
    """The hosts of the routes of the devdns that runs, wildcards left out; none when none runs."""
    try:
        routes = Client(state_dir).ask("GET", "/api/v1/routes")["routes"]
    except NotRunning:
        return ()
    return tuple(sorted({each["host"] for each in routes if not each["host"].startswith("*")}))
