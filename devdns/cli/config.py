"""`devdns config schema|check`: the JSON Schema of devdns.yml, and every problem of a file at once."""

from __future__ import annotations

import os
from pathlib import Path

import click

from devdns.cli.options import common, json_option
from devdns.cli.settings import NAME, find_config, mend_name, read_settings, warnings
from devdns.cli.show import print_json
from devdns.cli.text import clean, say
from devdns.core.config import schema as config_schema
from devdns.core.errors import ConfigRefused, DevdnsError, UsageRefused


@click.group()
def config() -> None:
    """Check devdns.yml, or print its JSON Schema."""


@config.command()
@common
def schema(*, state_dir: Path, config: Path | None) -> None:  # noqa: ARG001 - understood by every command
    """Print the JSON Schema of devdns.yml."""
    print_json(config_schema())


@config.command(short_help="Say what is wrong with devdns.yml and the variables.")
@json_option
@common
def check(*, state_dir: Path, config: Path | None, as_json: bool) -> int:  # noqa: ARG001 - --state-dir is understood by every command
    """Read devdns.yml and the variables as `up` would, and say what is wrong."""
    path = config or find_config()
    if path is None:
        raise UsageRefused(f"no {NAME} here or above", mend_name("give one with -c FILE"))
    try:
        settings, count = read_settings(path, os.environ)
    except DevdnsError as error:
        if not as_json:
            raise
        problems = list(error.problems) if isinstance(error, ConfigRefused) else [str(error)]
        print_json({"version": 1, "config": str(path), "ok": False, "problems": problems})
        return error.exit_code
    warned = warnings(path, settings)
    if as_json:
        print_json({"version": 1, "config": str(path), "ok": True, "problems": [], "warnings": warned})
    else:
        zones = ", ".join(settings.zones)
        say(f"{clean(path)} is good: zone {zones}, {count} route{'s' * (count != 1)}")
        say(*(f"note  {clean(each)}" for each in warned))
    return 0
