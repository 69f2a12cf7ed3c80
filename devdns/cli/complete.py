"""Completes names of routes in the shell, from the running devdns; silently nothing when there is none."""

from __future__ import annotations

import os
from pathlib import Path

import click

from devdns.cli.client import Client
from devdns.cli.state import default_state_dir
from devdns.core.errors import DevdnsError

SECONDS = 0.5


def names(_: click.Context, __: click.Parameter, incomplete: str) -> list[str]:
    """Names that begin with what is typed, short ones (without their zone) included."""
    try:
        client = Client(Path(os.environ.get("DEVDNS_STATE_DIR") or default_state_dir()), SECONDS)
        rows = client.ask("GET", "/api/v1/routes")["routes"]
    except DevdnsError:
        return []
    return sorted(row["name"] for row in rows if row["name"].startswith(incomplete))
