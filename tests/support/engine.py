"""A real Docker Engine of our own: `dockerd` with its own folders, socket, bridge and address range, gone without trace after.

It leaves the machine's packet filter alone (`--iptables=false`), so it stands beside any other engine: the host reaches
containers at their own addresses by the bridge, and published ports through docker-proxy. Containers run busybox.
"""

import ipaddress
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from support.containers import Containers
from support.parts import need, need_root

START_WITHIN = 20.0


class Engine(Containers):
    """`subnet` holds all its containers."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, folder / "docker.sock")
        self.subnet = free_subnet()
        self.bridge = f"dvt{os.getpid()}"
        self.log = folder / "dockerd.log"
        self._daemon: subprocess.Popen[bytes] | None = None
        self._warden: subprocess.Popen[bytes] | None = None  # ends dockerd when a killed test run cannot

    # -- the daemon

    def up(self) -> None:
        gateway = f"{self.subnet[1]}/24"
        subprocess.run(["ip", "link", "add", self.bridge, "type", "bridge"], check=True)
        subprocess.run(["ip", "address", "add", gateway, "dev", self.bridge], check=True)
        subprocess.run(["ip", "link", "set", self.bridge, "up"], check=True)
        self._warden = subprocess.Popen(
            ["sh", "-c", f"read _; kill $(cat {self.folder / 'pid'})"], stdin=subprocess.PIPE
        )
        self.daemon_start()
        self.base()

    def daemon_start(self) -> None:
        with self.log.open("ab") as log:
            self._daemon = subprocess.Popen(self._command(), stdout=log, stderr=log)
        within(START_WITHIN, self._answers, f"dockerd to answer on {self.url}")

    def _command(self) -> list[str]:
        _, pool = self.subnet.subnets(new_prefix=17)
        options = {
            "host": self.url,
            "bridge": self.bridge,
            "default-address-pool": f"base={pool},size=24",
            "data-root": self.folder / "data",
            "exec-root": self.folder / "exec",
            "pidfile": self.folder / "pid",
            "iptables": "false",
            "ip6tables": "false",
            "ip-forward": "false",
            "shutdown-timeout": "2",
        }
        return ["dockerd", *(f"--{name}={value}" for name, value in options.items())]

    def _answers(self) -> bool:
        assert self._daemon is not None
        assert self._daemon.poll() is None, f"dockerd ended: {self.log.read_text()[-2000:]}"
        # Asked of the socket first: the docker library leaks the one it cannot connect.
        with suppress(OSError), socket.socket(socket.AF_UNIX) as probe:
            probe.connect(str(self.socket))
            return bool(self.client.ping())
        return False

    def daemon_stop(self, *, kill: bool = False) -> None:
        """Orderly: containers end with it. With `kill` they live on as orphans until the next start."""
        assert self._daemon is not None
        self._daemon.send_signal(signal.SIGKILL if kill else signal.SIGTERM)
        self._daemon.wait(START_WITHIN)
        if kill:
            # containerd dies with dockerd; where nobody reaps it, its pid still looks alive to the next dockerd.
            (self.folder / "exec/containerd/containerd.pid").unlink(missing_ok=True)
            (self.folder / "pid").unlink(missing_ok=True)

    def daemon_restart(self, *, kill: bool = False) -> None:
        self.daemon_stop(kill=kill)
        self.daemon_start()

    def sweep(self) -> None:
        """Ends the old networks that a killed daemon could not take away: they have the addresses of the new ones, and answer for them."""
        pids = [each["State"]["Pid"] for each in map(self.client.api.inspect_container, self._ids())]
        ours = {index for pid in pids for index in _peers(pid)}
        for port in Path("/sys/class/net", self.bridge, "brif").iterdir():
            with suppress(OSError):
                if int(Path("/sys/class/net", port.name, "ifindex").read_text()) not in ours:
                    subprocess.run(["ip", "link", "delete", port.name], check=False)

    def _ids(self) -> list[str]:
        return [each["Id"] for each in self.client.api.containers(quiet=True)]

    def down(self) -> None:
        with suppress(Exception):
            self.clear()
        if self._client is not None:
            self._client.close()
        if self._daemon is not None and self._daemon.poll() is None:
            self._daemon.terminate()
            try:
                self._daemon.wait(START_WITHIN)
            except subprocess.TimeoutExpired:
                self._daemon.kill()
                self._daemon.wait()
        if self._warden is not None:
            self._warden.kill()
            self._warden.communicate()
        _end(_pids_naming(str(self.folder)))
        for mount in _mounts_below(self.folder):
            subprocess.run(["umount", "--lazy", mount], check=False)
        subprocess.run(["ip", "link", "delete", self.bridge], check=False, stderr=subprocess.DEVNULL)
        shutil.rmtree(self.folder, ignore_errors=True)

    @contextmanager
    def unrouted(self, *, silent: bool = True) -> Iterator[None]:
        """Meanwhile only root gets to containers' own addresses, as docker-proxy does; for everybody else they are silent, or refuse.

        That is how Docker Desktop or a rootless engine looks to a process without privileges.
        """
        rule = ["OUTPUT", "-d", str(self.subnet), "-m", "owner", "--uid-owner", "1-65535"]
        rule += ["-j", "DROP"] if silent else ["-p", "tcp", "-j", "REJECT", "--reject-with", "tcp-reset"]
        subprocess.run(["iptables", "-w", "-I", *rule], check=True)
        try:
            yield
        finally:
            subprocess.run(["iptables", "-w", "-D", *rule], check=True)


def within(seconds: float, true: Callable[[], object], what: str) -> None:
    """Waits until `true()`; fails naming what was waited for."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        time.sleep(0.02)


def free_subnet() -> ipaddress.IPv4Network:
    """A 10.x.0.0/16 that no route of this machine touches; the start depends on the pid, so that parallel runs differ."""
    shown = subprocess.run(
        ["ip", "-4", "route", "show", "table", "all"], capture_output=True, text=True, check=True
    ).stdout
    taken = [line.split()[0] for line in shown.splitlines() if line.startswith("10.")]
    used = [ipaddress.ip_network(place, strict=False) for place in taken]
    for step in range(150):
        subnet = ipaddress.IPv4Network(f"10.{100 + (os.getpid() + step) % 150}.0.0/16")
        if not any(subnet.overlaps(network) for network in used):
            return subnet
    raise AssertionError("no free 10.x.0.0/16 on this machine")


def _pids_naming(text: str) -> list[int]:
    """Processes whose command line holds `text`, which only ours can: containerd, its shims, docker-proxy, Podman and conmon."""
    found = []
    for entry in Path("/proc").iterdir():
        with suppress(OSError):
            if entry.name.isdigit() and int(entry.name) != os.getpid():
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                if text in line and Path(line.split()[0]).name.startswith(("containerd", "docker", "podman", "conmon")):
                    found.append(int(entry.name))
    return found


def _peers(pid: int) -> list[int]:
    """The interfaces of this machine that are the other ends of those in the network namespace of a process."""
    shown = subprocess.run(
        ["nsenter", "-t", str(pid), "-n", "ip", "-o", "link"], capture_output=True, text=True, check=False
    )
    return [int(index) for index in re.findall(r"@if(\d+)", shown.stdout)]


def _end(pids: Sequence[int]) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _mounts_below(folder: Path) -> list[str]:
    """Deepest first, so that each can go."""
    places = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    return sorted((place for place in places if place.startswith(f"{folder}/")), key=len, reverse=True)


@pytest.fixture(scope="session")
def _engine() -> Iterator[Engine]:
    need("dockerd", "busybox", "ip", "iptables")
    need_root("a Docker Engine of its own")
    made = Engine(Path(tempfile.mkdtemp(prefix="devdns-engine-")))
    try:
        made.up()
        yield made
    finally:
        made.down()


@pytest.fixture
def engine(_engine: Engine) -> Iterator[Engine]:
    """The session's engine, empty of containers before and after."""
    _engine.clear()
    yield _engine
    _engine.clear()
