"""Where an approach is set up: the person who does it, the programs there are, and the servers that stay, with their CPU and memory."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from devdns_bench.rooms import INSIDE
from devdns_bench.user import StepFailed, User, typed

TICK = os.sysconf("SC_CLK_TCK")
STOP = 15.0


class Site:
    """`tools`: program -> path. `core`: the CPU that servers are bound to, or None."""

    def __init__(self, user: User, tools: Mapping[str, str], core: int | None = None) -> None:
        self.user = user
        self.tools = tools
        self.core = core
        self._servers: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, *command: str, root: bool = False, shown: str = "") -> None:
        """A server that stays, as if typed in a terminal of its own; its output goes to NAME.log. `StepFailed` if it ends at once."""
        self.user.notes("command", shown or typed(command), root=root)
        pinned = ["taskset", "-c", str(self.core), *command] if self.core is not None else [*command]
        with (INSIDE / f"{name}.log").open("ab") as log:
            server = subprocess.Popen(pinned, cwd=self.user.home, stdout=log, stderr=log, stdin=subprocess.DEVNULL)  # noqa: S603 - our own command lines
        self._servers[name] = server
        time.sleep(0.05)  # long enough to refuse its configuration
        if server.poll() is not None:
            raise StepFailed(f"{name} ended with {server.returncode}: {self.log(name)}")

    def listens(self, name: str, port: int) -> None:
        """Returns once a server takes connections; `StepFailed` when it ends, or does not within `STOP` seconds."""
        deadline = time.monotonic() + STOP
        while time.monotonic() < deadline and self._servers[name].poll() is None:
            with socket.socket() as client:
                if client.connect_ex(("127.0.0.1", port)) == 0:
                    return
            time.sleep(0.02)
        raise StepFailed(f"{name} does not listen on port {port}: {self.log(name)}")

    def log(self, name: str) -> str:
        """The end of what a server wrote."""
        return (INSIDE / f"{name}.log").read_text(errors="replace")[-600:]

    def stop(self, name: str) -> None:
        """As Ctrl-C in its terminal; killed when it does not heed."""
        server = self._servers.pop(name)
        server.terminate()
        try:
            server.wait(STOP)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()

    def stop_all(self) -> None:
        """Whatever still runs."""
        for name in [*self._servers]:
            self.stop(name)

    def cpu(self) -> float:
        """Seconds of CPU that the servers and their children have used."""
        return sum(map(_cpu, self._pids()))

    def memory(self) -> int:
        """Bytes: the servers' proportional share of memory."""
        return sum(map(_memory, self._pids()))

    def _pids(self) -> Iterator[int]:
        for server in self._servers.values():
            yield from _tree(server.pid)


def _tree(pid: int) -> Iterator[int]:
    yield pid
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return
    for child in children:
        yield from _tree(int(child))


def _cpu(pid: int) -> float:
    """With that of children that have ended."""
    try:
        fields: Sequence[str] = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(map(int, fields[11:15])) / TICK


def _memory(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) << 10 for line in lines if line.startswith("Pss:"))
