"""Consent to change the machine: shown before, asked for once on a terminal, given beforehand by `--yes`."""

from __future__ import annotations

import sys

import click

from devdns.cli.options import F, option
from devdns.core.errors import UsageRefused


def consent_options(command: F) -> F:
    """`--dry-run` and `--yes`; the command takes `dry_run` and `yes`."""
    for each in (
        option("--yes", is_flag=True, help="Do not ask."),
        option("--dry-run", is_flag=True, help="Show what would be done, and do nothing."),
    ):
        command = each(command)
    return command


def agreed(question: str, *, yes: bool, command: str) -> bool:
    """Whether the user wants it; raises `UsageRefused` where there is nobody to ask."""
    if yes:
        return True
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageRefused("this changes your machine, and there is no terminal to ask on", f"{command} --yes")
    return click.confirm(question, err=True)
