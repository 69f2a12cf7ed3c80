"""`devdns logs [-f]`: the log of a devdns that was started with `--detach`."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import BinaryIO

import click

from devdns.cli.options import common, option
from devdns.cli.state import LOG, is_running, record
from devdns.cli.text import clean, say
from devdns.core.errors import DevdnsError

TAIL = 64 << 10
LINES = 100
TURN = 0.1


@click.command()
@option("-f", "--follow", is_flag=True, help="Stay, and print what is added.")
@common
def logs(*, state_dir: Path, config: Path | None, follow: bool) -> None:  # noqa: ARG001 - -c is understood by every command
    """Show the last lines of the log."""
    path = state_dir / LOG
    _check_writer(state_dir, path)
    try:
        stream = path.open("rb")
    except OSError as error:
        raise DevdnsError(
            f"log {str(path)!r} cannot be read: {error.strerror}", "only devdns up --detach keeps one"
        ) from None
    with stream, contextlib.suppress(KeyboardInterrupt):
        say(*_last(stream))
        while follow:
            if line := stream.readline():
                say(clean(line.decode("utf-8", "replace").rstrip("\n")))
            else:
                time.sleep(TURN)


def _check_writer(state_dir: Path, path: Path) -> None:
    """Refuses the log of an earlier run while another devdns writes elsewhere. Only Linux can tell."""
    pid = record(state_dir).get("pid")
    with contextlib.suppress(OSError):
        if is_running(state_dir) and not (path.exists() and Path(f"/proc/{pid}/fd/2").samefile(path)):
            raise DevdnsError(
                f"this devdns (pid {pid}) logs to its own terminal", "only devdns up --detach keeps a log"
            )


def _last(stream: BinaryIO) -> list[str]:
    size = stream.seek(0, 2)
    stream.seek(max(0, size - TAIL))
    lines = stream.read().decode("utf-8", "replace").splitlines()
    return [clean(line) for line in lines[-LINES:]]
