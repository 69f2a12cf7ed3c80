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
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path

from docker.models.containers import Container

from devdns_bench import probe_backend
from support.containers import IMAGE, Containers, nonce

PROGRAM = Path(probe_backend.__file__)
PYTHON = Path(sys.base_prefix, "bin", f"python{sys.version_info.major}.{sys.version_info.minor}").resolve()
SYSTEM = ("/usr", "/lib", "/lib64")


def start(
    engine: Containers, stamps: Path, name: str, word: str, labels: dict[str, str], port: int, **options
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
    stamp(stamps, word, nonce(container))


def stamp(stamps: Path, word: str, identity: str) -> None:
    """A line that the backend itself does not write."""
    probe_backend.stamp(str(stamps), word, identity)


def note_end(container: Container, stamps: Path) -> threading.Thread:
    """Notes when its process ends, for an end that gives it no time to say so."""
    process = os.pidfd_open(_pid(container))

    def wait() -> None:
        select.select([process], [], [], 60)
        note("down", container, stamps)
        note("gone", container, stamps)
        os.close(process)

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


def _pid(container: Container) -> int:
    container.reload()
    return int(container.attrs["State"]["Pid"])


def running(words: Collection[str]) -> Iterator[tuple[int, str]]:
    """(process id, identity) of the backends of these identities, in containers or not."""
    for entry in Path("/proc").iterdir():
        with suppress(OSError):
            if (
                entry.name.isdigit()
                and (said := (entry / "cmdline").read_bytes().decode(errors="replace").split("\0"))[2:3]
            ):
                yield from ((int(entry.name), word) for word in said if word in words)


def ups_and_downs(stamps: Path) -> list[tuple[float, str, str]]:
    """(monotonic seconds, word, identity) in order of time: `up`, `down` when it is told to stop, `gone` when its process has ended.

    `cut` when it lives on and nothing leads to it.
    """
    text = stamps.read_text() if stamps.exists() else ""
    lines = text[: text.rfind("\n") + 1].splitlines()  # a line that crosses a page may be seen by halves
    return sorted((float(at), word, who) for word, at, who in (line.split() for line in lines))


def downtimes(stamps: Path, since: float) -> list[tuple[float, float]]:
    """When none of the scene's backends served, in monotonic seconds, after `since`; the last may still last."""
    found, there, began = [], set[str](), None
    for at, word, who in ups_and_downs(stamps):
        if word == "gone":
            continue
        there = there | {who} if word == "up" else there - {who}
        if there and began is not None:
            found.append((began, at))
        began = None if there else began or at
    if began is not None:
        found.append((began, time.monotonic()))
    return [(first, last) for first, last in found if last > since]


def deaths(stamps: Path, more: float) -> list[tuple[float, float]]:
    """From each word to stop until the process was gone with its sockets, and `more` seconds more: what was on its way then."""
    every = ups_and_downs(stamps)
    ends = [(at, who) for at, word, who in every if word == "gone"]
    falls = [(at, who) for at, word, who in every if word == "down"]
    return [
        (fall, more + min((at for at, name in ends if name == who and at >= fall), default=fall)) for fall, who in falls
    ]
