"""Reads the configuration for the commands that need it: finds the file upwards, parses it, adds variables and flags."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from devdns.cli.state import here
from devdns.core import config as core
from devdns.core.errors import UsageRefused
from devdns.core.names import Zones

NAME = "devdns.yml"
MISNAMED = "devdns.yaml"


def find_config(start: Path | None = None, name: str = NAME) -> Path | None:
    """The nearest `devdns.yml` in `start` (the working directory) or above it, or None."""
    start = start or here()
    return next((each / name for each in (start, *start.parents) if _is_file(each / name)), None)


def mend_name(otherwise: str) -> str:
    """What helps when there is no `devdns.yml`: another name for the file that was meant, or `otherwise`."""
    found = find_config(name=MISNAMED)
    return f"{found} is there: rename it to {NAME}" if found else otherwise


def _is_file(path: Path) -> bool:
    """A folder above that may not be searched holds nothing for us."""
    try:
        return path.is_file()
    except PermissionError:
        return False


def read_file(path: Path, *, routes_only: bool = False) -> core.ConfigFile:
    """What the file says; raises `UsageRefused` when it cannot be read, `ConfigRefused` for what is in it."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageRefused(
            f"config file {str(path)!r} cannot be read: {error.strerror}", "give another one with -c FILE"
        ) from None
    return core.parse(core.decode(data, str(path)), str(path), routes_only=routes_only)


def read_settings(path: Path | None, environ: Mapping[str, str]) -> tuple[core.Config, int]:
    """The settings in force and how many routes the file holds; raises with every problem of file, variables and flags."""
    file = read_file(path) if path else None
    config = core.load(file, environ)
    return config, len(core.routes(file, Zones(config.zones))) if file else 0
