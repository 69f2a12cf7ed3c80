"""Processes of a scene, tied to this one by a pipe: when we die, they read its end and go."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from devdns_study.errors import StudyRefused

PYTHON = (sys.executable, "-P", "-m")
START = 60.0  # seconds: a laptop that does something else, too
STOP = 15.0


class Leashed:
    """A running process that ends with its standard input."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self._process = process
        self._log = log

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def first_line(self, lead: bytes = b"") -> bytes:
        """The first line that it prints with this lead; raises `StudyRefused` when it ends or does not say it in time."""
        assert self._process.stdout is not None  # noqa: S101 - for the type checker: it is a pipe
        deadline, said = time.monotonic() + START, b""
        with selectors.DefaultSelector() as ears:
            ears.register(self._process.stdout, selectors.EVENT_READ)
            while True:
                for line in said.split(b"\n")[:-1]:
                    if line.startswith(lead):
                        return line
                if not ears.select(max(0.0, deadline - time.monotonic())):
                    raise StudyRefused(f"no sign of {self._log.stem} within {START:.0f} s", f"its log is {self._log}")
                piece = os.read(self._process.stdout.fileno(), 1 << 16)
                if not piece:
                    raise StudyRefused(f"{self._log.stem} did not start", f"its log is {self._log}")
                said += piece

    def close(self) -> None:
        """Lets it end, and makes sure of it."""
        if self._process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()
        try:
            self._process.wait(STOP)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()


def start_service(folder: Path, name: str, port: int, nonce: str, status: int = 200) -> tuple[Leashed, int]:
    """A service of the scene and its port; port 0 is any free one."""
    words = (*PYTHON, "devdns_study.sandbox.service", name, str(port), nonce, str(status))
    service = _started(words, folder / "log" / f"{name}.log", os.environ)
    return service, int(service.first_line())


def start(
    folder: Path, name: str, command: Sequence[str], environ: Mapping[str, str], last: Sequence[str] = ()
) -> Leashed:
    """A program of the scene; `last` is run after it has ended."""
    words = (*PYTHON, "devdns_study.sandbox.leash", json.dumps(list(last)), *command)
    return _started(words, folder / "log" / f"{name}.log", environ, folder)


def _started(words: Sequence[str], log: Path, environ: Mapping[str, str], folder: Path | None = None) -> Leashed:
    log.parent.mkdir(exist_ok=True)
    with log.open("ab") as errors:
        process = subprocess.Popen(  # noqa: S603 - our own interpreter and modules, no shell
            words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=dict(environ),
            cwd=folder,
            start_new_session=True,  # Ctrl-C in the terminal is for the session alone, which then ends them in order
        )
    return Leashed(process, log)
