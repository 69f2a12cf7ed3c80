"""Containers that answer the prober: this machine's Python, seen through mounts, runs the bench's backend in them.

Their ups and downs stand in one file of the scene, stamped by the backends themselves; a kill is stamped by who kills.
"""

import os
import select
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from docker.models.containers import Container

from devdns_bench import probe_backend
from support.engine import IMAGE, Engine, nonce

PROGRAM = Path(probe_backend.__file__)
PYTHON = Path(sys.base_prefix, "bin", f"python{sys.version_info.major}.{sys.version_info.minor}").resolve()
SYSTEM = ("/usr", "/lib", "/lib64")


def start(
    engine: Engine, stamps: Path, name: str, word: str, labels: dict[str, str], port: int, **options
) -> Container:
    """A backend that answers `word`. `options`: `flags` of the program, `published` (a port of 127.0.0.1, or None for any),
    `healthcheck`, and those of docker's host config."""
    flags, published = options.pop("flags", ()), options.pop("published", None)
    api = engine.client.api
    own = {key: options.pop(key) for key in ("healthcheck",) if key in options}
    mounts = {path: {"bind": path, "mode": "ro"} for path in {*SYSTEM, sys.base_prefix} if Path(path).exists()}
    mounts |= {str(PROGRAM): {"bind": "/backend.py", "mode": "ro"}, str(stamps.parent): {"bind": "/stamps"}}
    command = [
        str(PYTHON),
        "-IS",
        "/backend.py",
        word,
        "--port",
        str(port),
        "--stamps",
        f"/stamps/{stamps.name}",
        *flags,
    ]
    made = api.create_container(
        IMAGE,
        command,
        name=name,
        labels={**labels, "test.nonce": word},
        ports=[(port, "tcp")],
        host_config=api.create_host_config(
            binds=mounts, port_bindings={f"{port}/tcp": ("127.0.0.1", published)}, **options
        ),
        **own,
    )
    container = engine.client.containers.get(made["Id"])
    container.start()
    container.reload()
    return container


def spawn(stamps: Path, word: str, port: int, *flags: str) -> subprocess.Popen:
    """The same as a process of this machine, as a developer's own server is."""
    command = [
        str(PYTHON),
        "-IS",
        str(PROGRAM),
        word,
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "--stamps",
        str(stamps),
    ]
    return subprocess.Popen([*command, *flags])


def end(process: subprocess.Popen) -> None:
    """SIGTERM, and returns when it is gone."""
    process.terminate()
    process.wait(10)


def kill(container: Container, stamps: Path) -> None:
    """SIGKILL to its process, behind the engine's back."""
    pid = _pid(container)
    note("down", container, stamps)
    os.kill(pid, signal.SIGKILL)


def note(word: str, container: Container, stamps: Path) -> None:
    """Stamps an up or a down in its place."""
    probe_backend.stamp(str(stamps), word, nonce(container))


def note_end(container: Container, stamps: Path) -> threading.Thread:
    """Notes when its process ends, for an end that gives it no time to say so."""
    process = os.pidfd_open(_pid(container))

    def wait() -> None:
        select.select([process], [], [], 60)
        note("down", container, stamps)
        os.close(process)

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


def _pid(container: Container) -> int:
    container.reload()
    return int(container.attrs["State"]["Pid"])


def ups_and_downs(stamps: Path) -> list[tuple[float, str, str]]:
    """(monotonic seconds, up or down, identity) in order of time."""
    lines = stamps.read_text().splitlines() if stamps.exists() else []
    return sorted((float(at), word, who) for word, at, who in (line.split() for line in lines))


def downtimes(stamps: Path, since: float) -> list[tuple[float, float]]:
    """When none of the scene's backends served, in monotonic seconds, after `since`; the last may still last."""
    found, there, began = [], set[str](), None
    for at, word, who in ups_and_downs(stamps):
        there = there | {who} if word == "up" else there - {who}
        if there and began is not None:
            found.append((began, at))
        began = None if there else began or at
    if began is not None:
        found.append((began, time.monotonic()))
    return [(first, last) for first, last in found if last > since]
