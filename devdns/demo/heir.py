"""Cleans up after a demonstration that was killed outright: a shell waits for the end of a pipe that dies with its owner."""

from __future__ import annotations

import subprocess
from pathlib import Path
from types import TracebackType

#: `read` returns when the last writer of the pipe is gone. The wait is bounded: nobody may reap what has ended.
WILL = 'read -r word; kill "$1"; n=0; while kill -0 "$1" && [ $((n += 1)) -le 200 ]; do sleep 0.1; done; rm -rf -- "$2"'


class Heir:
    """A context manager: if this process dies inside it, process `pid` is stopped and `folder` removed."""

    def __init__(self, pid: int, folder: Path) -> None:
        self._shell = subprocess.Popen(  # noqa: S603 - a fixed script, arguments of ours
            ("/bin/sh", "-c", WILL, "sh", str(pid), str(folder)),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # what a terminal sends to the whole group is not for it
        )

    def __enter__(self) -> Heir:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._shell.kill()
        self._shell.communicate()
