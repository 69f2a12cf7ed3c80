"""`devdns up`: checks the configuration, plans the listeners and becomes the supervisor.

A second `up` with the same state folder starts nothing: it attaches its routes file to the devdns that runs there.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import click

from devdns.cli import state
from devdns.cli.attach import attached, remembered
from devdns.cli.client import Client
from devdns.cli.launch import SUPERVISOR, children_environ, start_detached
from devdns.cli.options import Switches, common, option
from devdns.cli.plan import plan
from devdns.cli.settings import NAME, find_config, mend_name, read_settings
from devdns.cli.text import clean, say
from devdns.core.config import Config
from devdns.core.errors import NotRunning, UsageRefused
from devdns.state_folder import Held
from devdns.supervisor import HELD


@click.command()
@option("--zone", metavar="ZONE", help="The zone whose names are answered.  [default: dev.test]")
@option("--dns", metavar="ADDR:PORT", help="Where the resolver listens.  [default: port 53, else 127.0.0.1:5300]")
@option("--http", metavar="ADDR:PORT", help="Where the proxy listens.  [default: port 80, else 8080]")
@option("--https", metavar="ADDR:PORT|off", help="Where the proxy speaks TLS.  [default: port 443, else 8443]")
@option("--workers", metavar="N", help="How many proxy processes.  [default: 1]")
@option("--detach", is_flag=True, help="Return once it is ready; the log is in the state folder.")
@option("--in-process", is_flag=True, help="Run all parts in one process, for debugging.")
@common
@click.pass_obj
def up(
    switches: Switches, /, *, state_dir: Path, config: Path | None, detach: bool, in_process: bool, **flags: str | None
) -> int:
    """Start devdns: names, proxy and the sources of routes."""
    if detach and in_process:
        raise UsageRefused("--detach and --in-process exclude each other", "leave one of them out")
    path = config or find_config()
    variables = {f"DEVDNS_{name.upper()}": value for name, value in flags.items() if value is not None}
    attach = partial(attached, state_dir, path, variables)
    if attach():
        return 0
    environ = dict(os.environ) | variables
    settings, count = read_settings(path, environ, state.installed(state_dir))
    state.prepare(state_dir)
    wanted = plan(settings, state_dir=state_dir, config_path=path, platform=sys.platform, debug=switches.debug)
    wanted["detached"] = detach
    environ = children_environ(environ, settings, wanted)
    _greet(path, count, settings, remembered(state_dir))
    if in_process:
        return _in_process(settings, path, wanted, attach)
    return _detached(environ, state_dir, attach) if detach else _become_supervisor(environ)


def _in_process(settings: Config, path: Path | None, wanted: dict[str, Any], attach: Callable[[], bool]) -> int:
    from devdns.app import run_in_process  # noqa: PLC0415 - every part is imported by that, and only then

    try:
        return run_in_process(settings, str(path) if path else None, wanted)
    except Held:  # another one was quicker
        if attach():
            return 0
        raise


def _detached(environ: dict[str, str], state_dir: Path, attach: Callable[[], bool]) -> int:
    """What already goes wrong is told here, since nobody watches the log of a detached devdns."""
    code = start_detached(environ, state_dir)
    if code == HELD:  # another one was quicker
        if attach():
            return 0
        raise NotRunning(f"another devdns held the state folder {str(state_dir)!r} and ended", "run it again")
    if code == 0:
        for problem in Client(state_dir).ask("GET", "/api/v1/status")["problems"]:
            say(f"problem {clean(problem)}", stream=sys.stderr)
    return code


def _become_supervisor(environ: dict[str, str]) -> NoReturn:
    os.execve(SUPERVISOR[0], SUPERVISOR, environ)  # noqa: S606 - no shell is wanted


def _greet(path: Path | None, count: int, config: Config, others: list[str]) -> None:
    """Says which files count, on stdout before the supervisor's own lines."""
    zones = ", ".join(config.zones)
    if path:
        say(f"zone {zones}  {count} route{'s' * (count != 1)} from {clean(path)}")
    else:
        say(f"zone {zones}  no {NAME} here or above; {clean(mend_name('see devdns add'))}")
    say(*(f"and those from {clean(each)}, attached earlier" for each in others if each != str(path)))
