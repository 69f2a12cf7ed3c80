"""The services of a run, as containers or as processes, and what their owner does to them.

What is done here is no work of the approach's: everybody restarts a container alike. Which ports are published and which
labels are set is the approach's business, told by `dress`.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

from msgspec import Struct

from devdns_bench.room_engine import BACKEND, IMAGE, STAMPS, backend, mounts
from devdns_bench.rooms import INSIDE, PROJECT
from devdns_bench.user import ran

INNER = 8000
FIRST = 8001


class Service(Struct):
    """One service. `port`: published on 127.0.0.1, or where the process listens; `inner`: where its container listens.

    `identity` is what its present incarnation answers with.
    """

    name: str
    port: int
    identity: str
    inner: int = INNER
    container: bool = True
    boot: float = 0.0

    @property
    def target(self) -> str:
        """Where this machine reaches it, once it is published."""
        return f"127.0.0.1:{self.port}"


def services(count: int, *, container: bool = True, boot: float = 0.0) -> list[Service]:
    """`count` services: api, then s2, s3 and so on."""
    names = ["api", *(f"s{number}" for number in range(2, count + 1))]
    return [
        Service(name, FIRST + place, f"{name}-1", container=container, boot=boot) for place, name in enumerate(names)
    ]


class Stack:
    """Containers and processes by service name; `dress(service)` gives the flags that the approach wants on `docker run`."""

    def __init__(self, dress: Callable[[Service], Sequence[str]]) -> None:
        self._dress = dress
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def up(self, service: Service, name: str = "", *flags: str) -> None:
        """Starts it, as container `name` or by its own name; a process may be another command, given as `flags`."""
        if not service.container:
            command = [*flags] or self.command(service.identity, service.port)
            self._processes[service.name] = subprocess.Popen(command, cwd=INSIDE)  # noqa: S603 - our own command lines
            return
        options = ["--boot", str(service.boot)] if service.boot else []
        words = ["docker", "run", "--detach", "--name", name or service.name, *flags]
        ran(
            [*words, *self._dress(service), *mounts(), IMAGE, *backend(service.identity, service.inner, *options)],
            PROJECT,
        )

    def renew(self, service: Service) -> None:
        """The identity of the next incarnation."""
        name, _, number = service.identity.rpartition("-")
        service.identity = f"{name}-{int(number) + 1}"

    def docker(self, *words: str) -> str:
        """A docker command of the owner's."""
        return ran(("docker", *words), PROJECT)

    @staticmethod
    def command(identity: str, port: int) -> list[str]:
        """The backend as a process."""
        return [sys.executable, "-ISE", str(BACKEND), identity, "--host", "127.0.0.1", "--port", str(port)]

    def down(self) -> None:
        """Ends the processes; containers end with their engine."""
        for process in self._processes.values():
            process.terminate()
            process.wait(10)


def downtime(identity: str, *, path: Path = STAMPS / "log") -> float | None:
    """The longest time that backends of this name were not listening, by their own stamps; None if none is known."""
    rows = [line.split() for line in path.read_text().splitlines()] if path.exists() else []
    own = [(word, float(at)) for word, at, who in rows if who.rpartition("-")[0] == identity.rpartition("-")[0]]
    gaps = [later - at for (word, at), (next_word, later) in pairwise(own) if (word, next_word) == ("down", "up")]
    return max(gaps, default=None)
