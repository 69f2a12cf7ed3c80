"""Starts the supervisor: its command, its environment, and waiting until it is ready or has failed."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from devdns.cli.state import LOG, PRIVATE, hand_over
from devdns.cli.text import clean, say
from devdns.core.config import Config
from devdns.core.errors import DevdnsError, UsageRefused

#: `-P`: a folder in the user's project that is named like a module of ours is not imported.
PYTHON = (sys.executable, "-P", "-m")
SUPERVISOR = (*PYTHON, "devdns.supervisor")
READY = "ready"
BOUND = 20.0  # the supervisor itself gives up on slow children after 15 s
TURN = 0.01


def children_environ(environ: Mapping[str, str], settings: Config, plan: Mapping[str, Any]) -> dict[str, str]:
    """What the processes read: the plan, and the settings as decided here, once."""
    decided = {
        "DEVDNS_STATE_DIR": plan["state_dir"],
        "DEVDNS_CONFIG": plan["config"],
        "DEVDNS_DEBUG": "true" if plan["debug"] else None,
        "DEVDNS_SETTINGS": msgspec.json.encode(settings).decode(),
        "DEVDNS_PLAN": json.dumps(plan),
    }
    rest = {key: value for key, value in environ.items() if key not in decided}
    return rest | {key: value for key, value in decided.items() if value is not None}


def start_detached(environ: Mapping[str, str], state_dir: Path) -> int:
    """Prints the lines of the start as `devdns up` would; returns 0 once ready, else the exit code of the start."""
    child, code = launch(environ, state_dir / LOG, _repeat)
    if code is None:
        child.returncode = 0  # it lives on without us
    return code or 0


def _repeat(line: str) -> None:
    if line.startswith("devdns"):
        say(clean(line), stream=sys.stderr)
    elif not line.startswith("{"):  # log events of the children are JSON here
        say(clean(line))


def launch(
    environ: Mapping[str, str], log: Path, hear: Callable[[str], None]
) -> tuple[subprocess.Popen[bytes], int | None]:
    """A supervisor in a session of its own that writes to `log`; each line of its start goes to `hear`.

    The exit code is None once it is ready. Raises `DevdnsError` when it is neither ready nor dead in time.
    """
    with _opened(log) as ours, log.open("rb") as reader:
        reader.seek(ours.tell())
        child = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            SUPERVISOR, stdin=subprocess.DEVNULL, stdout=ours, stderr=ours, env=dict(environ), start_new_session=True
        )
        try:
            return child, _until_ready(child, reader, log, hear)
        except BaseException:
            child.terminate()
            child.wait()
            raise


def _opened(log: Path) -> BinaryIO:
    try:
        log.parent.mkdir(PRIVATE, exist_ok=True)
        stream = os.fdopen(_plain_file(log), "ab")
        hand_over(log.parent)
        hand_over(log)
    except OSError as error:
        raise UsageRefused(
            f"log {str(log)!r} cannot be written: {error.strerror}", "give another --state-dir DIR"
        ) from None
    stream.seek(0, 2)
    return stream


def _plain_file(log: Path) -> int:
    """Opens the log for appending. Root follows no link in the folder of an unprivileged user; raises OSError."""
    folder = os.open(log.parent, os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        opened = os.open(log.name, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o600, dir_fd=folder)
    finally:
        os.close(folder)
    if os.fstat(opened).st_nlink != 1:
        os.close(opened)
        raise OSError(errno.EMLINK, "it has a second name")
    return opened


def _until_ready(
    child: subprocess.Popen[bytes], reader: BinaryIO, log: Path, hear: Callable[[str], None]
) -> int | None:
    rest, until = b"", time.monotonic() + BOUND
    while time.monotonic() < until:
        code = child.poll()  # before reading, so that the last words of a dead one are heard
        *lines, rest = (rest + reader.read()).split(b"\n")
        for line in lines:
            hear(line.decode("utf-8", "replace"))
        if any(line.startswith(READY.encode()) for line in lines):
            return None
        if code is not None:
            return code if code > 0 else 1
        time.sleep(TURN)
    raise DevdnsError(f"devdns did not get ready within {BOUND:.0f} s", f"its log is {log}")
