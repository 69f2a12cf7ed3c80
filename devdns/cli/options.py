"""Options every command understands, and the rule that every flag has its variable: `--state-dir`, `DEVDNS_STATE_DIR`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from devdns.cli.state import default_state_dir, here

F = TypeVar("F", bound=Callable[..., Any])


@dataclass
class Switches:
    """What concerns the whole run and not one command."""

    debug: bool = False


def option(*names: str, **attributes: Any) -> Callable[[F], F]:
    """A click option whose variable is `DEVDNS_` and its long name."""
    long = max(names, key=lambda name: len(name) if name.startswith("--") else 0)
    attributes.setdefault("envvar", "DEVDNS_" + long.partition("/")[0].lstrip("-").replace("-", "_").upper())
    return click.option(*names, show_envvar=True, **attributes)


def _switch_debug(ctx: click.Context, _: click.Parameter, value: bool) -> None:  # noqa: FBT001 - click's signature
    if value:
        ctx.ensure_object(Switches).debug = True


def _state_dir(_: click.Context, __: click.Parameter, value: Path | None) -> Path:
    return _absolute(value or default_state_dir())


def _config_path(_: click.Context, __: click.Parameter, value: Path | None) -> Path | None:
    return _absolute(value) if value else None


def _absolute(path: Path) -> Path:
    path = path.expanduser()
    path = path if path.is_absolute() else here() / path
    return path.resolve() if ".." in path.parts else path  # links in it are the user's own way of telling it


debug_option = option(
    "--debug", is_flag=True, expose_value=False, callback=_switch_debug, help="Show tracebacks and debug logs."
)


def common(command: F) -> F:
    """`--state-dir`, `-c` and `--debug`; the command takes `state_dir` (absolute) and `config` (absolute or None)."""
    for each in (
        debug_option,
        option(
            "-c",
            "--config",
            type=click.Path(path_type=Path),
            callback=_config_path,
            metavar="FILE",
            help="The routes file; found upwards from here by default.",
        ),
        option(
            "--state-dir",
            type=click.Path(path_type=Path),
            callback=_state_dir,
            metavar="DIR",
            help="Where devdns keeps its sockets, routes and logs.",
        ),
    ):
        command = each(command)
    return command


json_option = option("--json", "as_json", is_flag=True, help="Print the answer of the API as JSON.")
