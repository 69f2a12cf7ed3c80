"""`devdns down`: stops the devdns of a state folder, or (`-c FILE`) takes one attached file from it."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import click
from click.core import ParameterSource

from devdns.cli import state
from devdns.cli.client import Client
from devdns.cli.options import common
from devdns.cli.text import clean, say
from devdns.core.errors import DevdnsError, NotRunning

BOUND = 25.0  # proxies drain for at most 10 s, the others after them
RECORD_BOUND = 5.0
TURN = 0.02


@click.command()
@common
@click.pass_context
def down(ctx: click.Context, *, state_dir: Path, config: Path | None) -> None:
    """Stop devdns; with -c FILE only take that file's routes away."""
    if config and ctx.get_parameter_source("config") is ParameterSource.COMMANDLINE:
        Client(state_dir).ask("DELETE", "/api/v1/files", {"path": str(config)})
        say(f"detached {clean(config)}")
        return
    pid = _supervisor(state_dir)
    try:
        os.kill(pid, signal.SIGTERM)
    except ProcessLookupError:
        pass  # it ended meanwhile
    except PermissionError:
        raise DevdnsError(f"devdns (pid {pid}) belongs to another user", "run devdns down as that user") from None
    until = time.monotonic() + BOUND
    while state.is_running(state_dir):
        if time.monotonic() > until:
            raise DevdnsError(f"devdns (pid {pid}) did not stop within {BOUND:.0f} s", f"kill -9 {pid} ends it at once")
        time.sleep(TURN)
    say("stopped")


def _supervisor(state_dir: Path) -> int:
    """The process id of the running supervisor; waits for its record when it is just starting."""
    until = time.monotonic() + RECORD_BOUND
    while state.is_running(state_dir):
        pid = state.record(state_dir).get("pid")
        if isinstance(pid, int) and pid > 1 and state.is_devdns(pid):
            return pid
        if time.monotonic() > until:
            raise DevdnsError(
                f"{str(state_dir / state.RECORD)!r} does not say which process holds the state folder",
                "find it with ps, end it with kill",
            )
        time.sleep(TURN)
    raise NotRunning(f"no devdns runs with the state folder {str(state_dir)!r}", "nothing is to be stopped")
