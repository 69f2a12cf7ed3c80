"""Completes names of routes in the shell, from the running devdns; silently nothing when there is none."""

from __future__ import annotations

import click

from devdns.cli.client import Body, Client
from devdns.core.errors import DevdnsError

SECONDS = 0.5


def names(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """Names that begin with what is typed."""
    return sorted(row["name"] for row in _rows(ctx) if row["name"].startswith(incomplete))


def manual_names(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """Names that `devdns rm` may take away."""
    rows = [row for row in _rows(ctx) if row["source"] == "manual"]
    return sorted(row["name"] for row in rows if row["name"].startswith(incomplete))


def _rows(ctx: click.Context) -> list[Body]:
    """The routes of the state folder that is meant, by flag or variable."""
    try:
        found: list[Body] = Client(ctx.params["state_dir"], SECONDS).ask("GET", "/api/v1/routes")["routes"]
    except (DevdnsError, KeyError):
        return []
    return found
