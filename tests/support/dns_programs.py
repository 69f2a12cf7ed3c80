"""DNS servers that others wrote, run for a test: what their configurations have in common, and a wait until they answer."""

from __future__ import annotations

import contextlib
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

from support.ports import free_port
from support.waiting import wait_until

BOUND = 10
UNBOUND = """
server:
  interface: 127.0.0.1@{port}
  do-daemonize: no
  use-syslog: no
  username: ""
  chroot: ""
  directory: "{where}"
  pidfile: ""
{server}
remote-control:
  control-enable: no
{zones}
"""
DNSMASQ = """
port={port}
listen-address=127.0.0.1
bind-interfaces
no-resolv
no-hosts
no-poll
user=
pid-file=
{lines}
"""


def run(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, timeout=BOUND, check=False).stdout


@contextlib.contextmanager
def answering(command: list[str], port: int, log: Path) -> Iterator[int]:
    """Runs a server until the end of the block, answering on `port`; ended by its own process id."""
    with log.open("wb") as output, subprocess.Popen(command, stdout=output, stderr=output) as process:
        try:
            ask = ("dig", "@127.0.0.1", "-p", str(port), "+tries=1", "+time=1", "api.dev.test")
            wait_until(lambda: process.poll() is not None or "status:" in run(*ask), what=f"{command[0]} answering")
            assert process.poll() is None, log.read_text()
            yield port
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(BOUND)


def unbound(where: Path, server: str, zones: str = "", name: str = "unbound") -> contextlib.AbstractContextManager[int]:
    """unbound with these lines in its `server` section, and further sections."""
    port, config = free_port(), where / f"{name}.conf"
    config.write_text(UNBOUND.format(port=port, where=where, server=server, zones=zones))
    return answering(["unbound", "-d", "-c", str(config)], port, where / f"{name}.log")


def dnsmasq(where: Path, lines: str, name: str = "dnsmasq") -> contextlib.AbstractContextManager[int]:
    """dnsmasq with these lines besides those that keep it to itself."""
    port, config = free_port(), where / f"{name}.conf"
    config.write_text(DNSMASQ.format(port=port, lines=lines))
    return answering(["dnsmasq", "-k", "-C", str(config)], port, where / f"{name}.log")
