"""A process that the supervisor started: what it is given, what it says on its line, and how it fares. Standard library only."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from devdns.doors import Named

QUICK_DEATH = 1.0  # a child that lived shorter than this is restarted with a growing delay
MAX_DELAY = 5.0
WORD = 1 << 17  # bytes of the longest word of a child: all places of raw TCP there can be
BATCH = 100  # sockets handed over at once; the kernel takes 253
LINE = socket.SOCK_SEQPACKET if sys.platform == "linux" else socket.SOCK_STREAM


@dataclass
class Child:
    """One process: what it is given, and how it fares. `due` is when it is to be started again, 0 while it runs."""

    name: str
    sockets: list[Named]
    process: subprocess.Popen[bytes] | None = None
    line: socket.socket | None = None
    state: str = "starting"
    since: float = 0.0
    restarts: int = 0
    quick_deaths: int = 0
    due: float = 0.0
    words: bytes = b""

    @property
    def part(self) -> str:
        return self.name.partition("-")[0]

    def start(self, environ: Mapping[str, str], later: Sequence[Named]) -> socket.socket:
        """Starts it with its own sockets and these; returns our end of its line. Raises `OSError` when the system has no room."""
        sockets = [*self.sockets, *later]
        ours, theirs = socket.socketpair(socket.AF_UNIX, LINE)
        named = ",".join(f"{name}={sock.fileno()}" for name, sock in sockets)
        with theirs:
            self.process = subprocess.Popen(  # noqa: S603 - our own interpreter and module, no shell
                [sys.executable, "-P", "-m", "devdns.process.child", self.part],
                env={**environ, "DEVDNS_SOCKETS": named, "DEVDNS_SUPERVISOR": str(theirs.fileno())},
                pass_fds=[*(sock.fileno() for _, sock in sockets), theirs.fileno()],
                stdin=subprocess.DEVNULL,
                process_group=0,  # a Ctrl-C in the terminal is ours to turn into an orderly stop
            )
        ours.setblocking(False)
        self.line, self.state, self.since, self.due = ours, "starting", time.monotonic(), 0.0
        return ours

    def hear(self) -> list[bytes] | None:
        """The whole words that it said; None when the other end of the line is closed."""
        try:
            said = self.line.recv(WORD) if self.line else b""
        except OSError:
            said = b""
        if not said:
            return None
        *lines, rest = (self.words + said).split(b"\n")
        self.words = rest[-WORD:]
        return lines

    def tell(self, word: Mapping[str, Any], sockets: Sequence[socket.socket] = ()) -> None:
        """Says a word to it; one that is ending misses it, and the next is given all there is."""
        if self.line is not None:
            with contextlib.suppress(OSError):
                socket.send_fds(self.line, [json.dumps(word).encode() + b"\n"], [sock.fileno() for sock in sockets])

    def hand_over(self, opened: Sequence[Named], closed: Sequence[str]) -> None:
        """Gives it listeners, and tells it of the places that are closed."""
        for start in range(0, max(len(opened), 1), BATCH):
            part = opened[start : start + BATCH]
            word = {"open": [name for name, _ in part], "close": [] if start else closed}
            self.tell(word, [sock for _, sock in part])

    def hang_up(self) -> None:
        self.words = b""
        if self.line is not None:
            self.line.close()
            self.line = None

    def start_later(self) -> float:
        """It is dead: due at once, or with a growing delay when it keeps dying early. Returns how long it lived."""
        now = time.monotonic()
        lived = now - self.since
        self.quick_deaths = self.quick_deaths + 1 if lived < QUICK_DEATH else 0
        delay = min(MAX_DELAY, 0.1 * 2 ** (self.quick_deaths - 1)) if self.quick_deaths > 1 else 0.0
        self.restarts += 1
        self.state, self.due = "restarting", now + delay
        return lived

    def stop(self, *, kill: bool = False) -> None:
        """Asks it to end, or ends it and waits."""
        if self.process is None:
            return
        if kill:
            self.process.kill()
            self.process.wait()
        else:
            self.process.terminate()

    def fares(self) -> dict[str, Any]:
        """Its row in `supervisor.json`."""
        return {
            "name": self.name,
            "pid": self.process.pid if self.process else None,
            "state": self.state,
            "restarts": self.restarts,
            "since": time.time() - (time.monotonic() - self.since),
        }


def outcome(code: int) -> str:
    """A child's exit code in words."""
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
