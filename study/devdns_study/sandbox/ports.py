"""Ports of this machine, and waiting for what happens on them."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable, Iterator

from devdns_study.errors import StudyRefused
from devdns_study.sandbox.service import HOST

TURN = 0.05
START = 60.0  # seconds: a laptop that does something else, too


def free_port() -> int:
    """A port that nobody has now."""
    with socket.socket() as sock:
        sock.bind((HOST, 0))
        return int(sock.getsockname()[1])


@contextlib.contextmanager
def held(port: int) -> Iterator[None]:
    """Nobody else gets the port meanwhile."""
    with socket.socket() as sock:
        with contextlib.suppress(OSError):  # somebody else has it already
            sock.bind((HOST, port))
        yield


def listens(port: int) -> bool:
    """Whether somebody accepts there."""
    with socket.socket() as sock:
        return sock.connect_ex((HOST, port)) == 0


def until(condition: Callable[[], bool], what: str) -> None:
    """Returns once the condition holds; raises `StudyRefused` when it does not in time."""
    until = time.monotonic() + START
    while not condition():
        if time.monotonic() > until:
            raise StudyRefused(f"{what} did not come within {START:.0f} s")
        time.sleep(TURN)
