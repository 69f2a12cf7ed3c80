"""The Docker Engine of a room: on the usual socket, with one image that runs the bench's backend by the machine's own Python.

No registry is asked: the image holds busybox, and Python with its libraries is mounted into each container, read-only.
"""

from __future__ import annotations

import io
import os
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import time
from pathlib import Path

from devdns_bench import probe_backend
from devdns_bench.rooms import INSIDE
from devdns_bench.user import StepFailed, ran

SOCKET = Path("/run/docker.sock")
IMAGE = "bench:1"
NEEDS = ("dockerd", "docker", "busybox")
START = 30.0
WORD = "devdns-bench"
STAMPS = INSIDE / "stamps"
BACKEND = Path(probe_backend.__file__)


class Engine:
    """`with Engine(word) as engine:` - containers' control groups bear `word`, so that they can be removed after a kill."""

    def __init__(self, word: str) -> None:
        self._folder = INSIDE / "engine"
        self._word = word
        self._daemon: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Engine:
        self._folder.mkdir()
        STAMPS.mkdir()
        self.start()
        packed = subprocess.run(["docker", "import", "-", IMAGE], input=_image(), capture_output=True, check=False)  # noqa: S603, S607 - as the user has it
        if packed.returncode:
            raise StepFailed(f"docker import: {packed.stderr.decode()[-400:]}")
        return self

    def __exit__(self, *_: object) -> None:
        every = ran(("docker", "ps", "--all", "--quiet"), INSIDE).split()
        if every:
            ran(("docker", "rm", "--force", *every), INSIDE)
        self.stop()

    def start(self) -> None:
        """Starts dockerd; returns once it answers."""
        options = {
            "data-root": str(self._folder / "data"),
            "exec-root": str(self._folder / "exec"),
            "pidfile": str(self._folder / "pid"),
            "cgroup-parent": f"/{self._word}",
            "iptables": "false",  # the packet filter is not in every kernel; published ports go through docker-proxy
            "ip6tables": "false",
            "shutdown-timeout": "2",
        }
        command = ["dockerd", f"--host=unix://{SOCKET}", *(f"--{name}={value}" for name, value in options.items())]
        with (self._folder / "log").open("ab") as log:
            self._daemon = subprocess.Popen(command, stdout=log, stderr=log)  # noqa: S603 - our own command line
        deadline = time.monotonic() + START
        while not _answers():
            if self._daemon.poll() is not None or time.monotonic() > deadline:
                raise StepFailed(f"dockerd does not answer: {(self._folder / 'log').read_text()[-400:]}")
            time.sleep(0.02)

    def stop(self) -> None:
        """In order: containers end with it."""
        if self._daemon is not None and self._daemon.poll() is None:
            self._daemon.send_signal(signal.SIGTERM)
            self._daemon.wait(START)


def backend(identity: str, port: int, *options: str) -> list[str]:
    """What follows `docker run ... IMAGE`: the backend of the probe."""
    python = Path(sys.base_prefix, "bin", f"python{sysconfig.get_python_version()}").resolve()
    return [str(python), "-ISE", "/backend.py", identity, "--port", str(port), "--stamps", "/stamps/log", *options]


def mounts() -> list[str]:
    """The flags that put the machine's Python, the backend and its stamps into a container."""
    places = [Path(place) for place in ("/usr", "/lib", "/lib64", sys.base_prefix) if Path(place).exists()]
    flags = [f"--volume={place}:{place}:ro" for place in places]
    return [*flags, f"--volume={BACKEND}:/backend.py:ro", f"--volume={STAMPS}:/stamps"]


def sweep(word: str) -> None:
    """From outside, after the room: the control groups that its containers leave."""
    for folder in _groups(word):
        for inner in sorted(folder.rglob("*"), reverse=True):
            if inner.is_dir():
                _leave(inner)
        _leave(folder)


def sweep_killed() -> None:
    """The same, and their files, for every bench that was killed: its process is no more."""
    left = [*_groups(f"{WORD}-*"), *Path(tempfile.gettempdir()).glob(f"{WORD}-*")]
    for folder in left:
        bench = folder.name.removeprefix(f"{WORD}-").partition("-")[0]
        if bench.isdigit() and not Path("/proc", bench).exists():
            sweep(folder.name)
            shutil.rmtree(Path(tempfile.gettempdir(), folder.name), ignore_errors=True)


def _groups(pattern: str) -> list[Path]:
    """In the one hierarchy, or in each of the old ones."""
    top = Path("/sys/fs/cgroup")
    return [*top.glob(pattern), *top.glob(f"*/{pattern}")]


def _leave(folder: Path) -> None:
    try:
        folder.rmdir()
    except OSError:
        return  # the kernel still counts somebody in it: it goes with the next boot


def _answers() -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(SOCKET))
        except OSError:
            return False
    return subprocess.run(["docker", "version"], capture_output=True, check=False).returncode == 0  # noqa: S607 - as above


def _image() -> bytes:
    packed = io.BytesIO()
    busybox = Path(shutil.which("busybox") or "busybox").resolve()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        tar.add(busybox, "bin/busybox")
        for applet in ("sh", "sleep", "cat"):
            link = tarfile.TarInfo(f"bin/{applet}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(link)
    return packed.getvalue()


def word() -> str:
    """A name for one room's control groups, and for its files outside."""
    return f"{WORD}-{os.getpid()}-{time.time_ns():x}"
