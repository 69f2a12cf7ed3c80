"""`devdns up`: checks the configuration, plans the listeners and becomes the supervisor.

A second `up` with the same state folder starts nothing: it attaches its routes file to the devdns that runs there.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any, NoReturn

import click

from devdns.cli import state
from devdns.cli.client import Client, Unanswered
from devdns.cli.launch import SUPERVISOR, children_environ, start_detached
from devdns.cli.options import Switches, common, option
from devdns.cli.plan import plan
from devdns.cli.settings import find_config, read_file, read_settings
from devdns.cli.text import clean, say
from devdns.core.config import Config
from devdns.core.errors import NotRunning, UsageRefused
from devdns.state_folder import Held
from devdns.supervisor import HELD

ENDING_SECONDS = 25.0  # what a stopping devdns may take, as for `devdns down`
TURN = 0.02


@click.command()
@option("--zone", metavar="ZONE", help="The zone whose names are answered.  [default: dev.test]")
@option("--dns", metavar="ADDR:PORT", help="Where the resolver listens.  [default: port 53, else 127.0.0.1:5300]")
@option("--http", metavar="ADDR:PORT", help="Where the proxy listens.  [default: port 80, else 8080]")
@option("--https", metavar="ADDR:PORT|off", help="Where the proxy listens for TLS; off is the only value yet.")
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
    if _attached(state_dir, path):
        return 0
    environ = dict(os.environ) | {f"DEVDNS_{name.upper()}": value for name, value in flags.items() if value is not None}
    settings, count = read_settings(path, environ)
    state.prepare(state_dir)
    wanted = plan(settings, state_dir=state_dir, config_path=path, platform=sys.platform, debug=switches.debug)
    wanted["detached"] = detach
    environ = children_environ(environ, settings, wanted)
    _greet(path, count, settings)
    if in_process:
        return _in_process(settings, path, wanted, state_dir)
    return _detached(environ, state_dir, path) if detach else _become_supervisor(environ)


def _in_process(settings: Config, path: Path | None, wanted: dict[str, Any], state_dir: Path) -> int:
    from devdns.app import run_in_process  # noqa: PLC0415 - every part is imported by that, and only then

    try:
        return run_in_process(settings, str(path) if path else None, wanted)
    except Held:  # another one was quicker
        if _attached(state_dir, path):
            return 0
        raise


def _detached(environ: dict[str, str], state_dir: Path, path: Path | None) -> int:
    """What already goes wrong is told here, since nobody watches the log of a detached devdns."""
    code = start_detached(environ, state_dir)
    if code == HELD:  # another one was quicker
        if _attached(state_dir, path):
            return 0
        raise NotRunning(f"another devdns held the state folder {str(state_dir)!r} and ended", "run it again")
    if code == 0:
        for problem in Client(state_dir).ask("GET", "/api/v1/status")["problems"]:
            say(f"problem {clean(problem)}", stream=sys.stderr)
    return code


def _become_supervisor(environ: dict[str, str]) -> NoReturn:
    os.execve(SUPERVISOR[0], SUPERVISOR, environ)  # noqa: S606 - no shell is wanted


def _greet(path: Path | None, count: int, config: Config) -> None:
    """Says which file counts, on stdout before the supervisor's own lines."""
    zones = ", ".join(config.zones)
    if path:
        say(f"zone {zones}  {count} route{'s' * (count != 1)} from {clean(path)}")
    else:
        say(f"zone {zones}  no devdns.yml here or above; see devdns add")


def _attached(state_dir: Path, path: Path | None) -> bool:
    """One devdns per state folder: the file goes to the one that runs. False when none does, or it just ends."""
    until = time.monotonic() + ENDING_SECONDS
    while state.is_running(state_dir):
        try:
            _attach(state_dir, path)
        except (NotRunning, Unanswered):
            if time.monotonic() > until:
                raise
            time.sleep(TURN)
        else:
            return True
    return False


def _attach(state_dir: Path, path: Path | None) -> None:
    """The file becomes one more source of the running devdns; raises what its client does."""
    if state.record(state_dir).get("stopping"):
        raise NotRunning(f"devdns with the state folder {str(state_dir)!r} is stopping", "wait, or end it with kill -9")
    client = Client(state_dir)
    if path is None:
        client.ask("GET", "/healthz")
        say(f"devdns is already running with the state folder {clean(state_dir)}")
        return
    ignored = read_file(path, routes_only=True).ignored
    new = client.ask("POST", "/api/v1/files", {"path": str(path)})["attached"]
    say(f"devdns is already running{'; attached' if new else ' with'} {clean(path)}")
    if new and ignored:
        keys = clean(", ".join(ignored))
        say(f"warning: only the routes of an attached file count, not its {keys}", stream=sys.stderr)
