"""Starts the supervisor in a session of its own, with a log file, and stays until it is ready or has failed."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

from devdns.cli.state import LOG, PRIVATE
from devdns.cli.text import clean, say
from devdns.core.errors import DevdnsError, UsageRefused

READY = "ready"
BOUND = 20.0  # the supervisor itself gives up on slow children after 15 s
TURN = 0.02


def start_detached(command: Sequence[str], environ: Mapping[str, str], state_dir: Path) -> int:
    """Prints the lines of the start as `devdns up` would; returns 0 once ready, else the exit code of the start."""
    log = state_dir / LOG
    with _opened(log) as ours:
        child = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            command, stdin=subprocess.DEVNULL, stdout=ours, stderr=ours, env=dict(environ), start_new_session=True
        )
        with log.open("rb") as reader:
            reader.seek(ours.tell())
            return _until_ready(child, reader, log)


def _opened(log: Path) -> BinaryIO:
    try:
        log.parent.mkdir(PRIVATE, exist_ok=True)
        stream = log.open("ab")
    except OSError as error:
        raise UsageRefused(
            f"log {str(log)!r} cannot be written: {error.strerror}", "give another --state-dir"
        ) from None
    stream.seek(0, 2)
    return stream


def _until_ready(child: subprocess.Popen[bytes], reader: BinaryIO, log: Path) -> int:
    until = time.monotonic() + BOUND
    lines = _Lines()
    while time.monotonic() < until:
        ended = child.poll()
        for line in lines.feed(reader.read()):
            if line.startswith("devdns:"):
                say(clean(line), stream=sys.stderr)
            elif not line.startswith("{"):  # log events of the children are JSON here
                say(clean(line))
            if line.startswith(READY):
                child.returncode = 0  # it lives on without us
                return 0
        if ended is not None:
            return ended if ended > 0 else 1
        time.sleep(TURN)
    child.terminate()
    child.wait()
    raise DevdnsError(f"devdns did not get ready within {BOUND:.0f} s", f"its log is {log}")


class _Lines:
    """Whole lines of a growing file."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[str]:
        *whole, self._rest = (self._rest + data).split(b"\n")
        return [line.decode("utf-8", "replace") for line in whole]
