"""The proxies that are compared, each started on one core before the same service, and what their CPU time and memory are."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from msgspec import Struct

from devdns_bench import http_peers
from devdns_bench.ports import free_port

TICKS = os.sysconf("SC_CLK_TCK")


class Contender(Struct):
    """One proxy under load: its port and the process whose CPU time counts. `secure` is its port for TLS, 0 where it has none."""

    name: str
    version: str
    port: int
    pid: int
    secure: int = 0

    def cpu(self) -> float:
        """Seconds of user and system time of the process and its children (nginx's worker is one)."""
        ticks = 0
        for each in self._pids():
            fields = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
        return ticks / TICKS

    def memory(self, what: str = "VmRSS") -> float:
        """MB resident now, or at most since `forget_peak` (`VmHWM`)."""
        total = 0
        for each in self._pids():
            status = Path(f"/proc/{each}/status").read_text()
            total += int(status.partition(f"{what}:")[2].split(maxsplit=1)[0])
        return total / 1024

    def forget_peak(self) -> None:
        for each in self._pids():
            Path(f"/proc/{each}/clear_refs").write_text("5")  # proc(5): resets the peak of the resident set

    def _pids(self) -> list[int]:
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        return [self.pid, *map(int, children)]


@contextmanager
def started(core: int, port: int, *command: str) -> Iterator[int]:
    """A server on `core`, once it listens; ended at the end."""
    process = subprocess.Popen(["taskset", "-c", str(core), *command], stdout=subprocess.DEVNULL)  # noqa: S603, S607 # our own command lines
    try:
        wait_for(port, process)
        yield process.pid
    finally:
        process.terminate()
        process.wait(10)


def wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    """Returns once something accepts on `port`; exits with a reason when `process` ends first or it takes over 20 s."""
    deadline = time.monotonic() + 20
    while True:
        if process.poll() is not None:
            raise SystemExit(f"{process.args!r} ended with {process.returncode}")
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            if time.monotonic() > deadline:
                raise SystemExit(f"nothing listens on {port} after 20 s") from None
            time.sleep(0.05)
        else:
            return


def version_of(*command: str) -> str:
    """The version that a program says it has."""
    done = subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603 # our own command line
    found = re.search(r"\b[0-9]+\.[0-9]+\.[0-9]+\b", done.stdout + done.stderr)
    return found[0] if found else ""


def contenders(stack: ExitStack, folder: Path, service: int, core: int, routes: int) -> list[Contender]:
    """Starts all of them before `service`: ours first, ours again with `routes` (0: not), nginx, and what else is in PATH."""
    http_peers.certify(folder)
    every = [_ours(stack, folder, core, service, 1)]
    if routes:
        every.append(_ours(stack, folder, core, service, routes))
    for peer in http_peers.PEERS:
        if shutil.which(peer.program) is None:
            continue
        port = free_port()
        place = folder / peer.name
        place.mkdir()
        place.chmod(0o755)  # nginx's worker is another user when it is started as root
        secure = free_port() if peer.secure else 0
        command = peer.write(place, port, service, secure)
        pid = stack.enter_context(started(core, port, *command))
        every.append(Contender(peer.name, version_of(peer.program, *peer.version), port, pid, secure))
    return every


def _ours(stack: ExitStack, folder: Path, core: int, service: int, routes: int) -> Contender:
    port, secure = free_port(), free_port()
    command = (
        sys.executable,
        "-m",
        "devdns_bench.http_service",
        "proxy",
        *map(str, (port, service, routes, secure, folder)),
    )
    pid = stack.enter_context(started(core, port, *command))
    name = "devdns" if routes == 1 else f"devdns-{routes}"
    return Contender(name, f"python {sys.version.split()[0]}, {routes} routes", port, pid, secure)
