"""Whether docker-proxy takes the connections to a published port: it does so for a container that is down, too, and then reads nothing.

Only of docker-proxy that is known. With `userland-proxy: false`, a rootless engine, or an engine elsewhere it is the kernel or
another program, and a reset may come from the service itself. So the process is looked for (Linux; elsewhere there is none).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from ipaddress import ip_address
from itertools import pairwise
from pathlib import Path

PROC = Path("/proc")
PROGRAM = b"docker-proxy"
#: Between two looks at all processes: a burst of containers costs one every now and then, and not one each.
PAUSE = 0.05


class Relays:
    """Looks for docker-proxies, once for all who ask while a look is due."""

    def __init__(self, proc: Path = PROC) -> None:
        self._proc = proc
        self._clock = asyncio.get_running_loop().time
        self._last = -PAUSE
        self._due: asyncio.Task[frozenset[tuple[str, int]]] | None = None

    async def hold(self, host: str, port: int) -> bool:
        """True when one of them, as of now, takes connections to this place."""
        places = _names(host)
        if not places:
            return False
        if self._due is None:
            self._due = asyncio.create_task(self._look())
        found = await asyncio.shield(self._due)
        return any((place, port) in found for place in places)

    async def _look(self) -> frozenset[tuple[str, int]]:
        await asyncio.sleep(max(0.0, self._last + PAUSE - self._clock()))
        self._due, self._last = None, self._clock()  # who asks from here on may be newer than what is found
        return frozenset(relays(self._proc))


def _names(host: str) -> tuple[str, ...]:
    """What a docker-proxy may be told to listen at for connections to this address; nothing for any but a loopback one.

    From there on the kernel may send them straight to the container.
    """
    try:
        address = ip_address(host)
    except ValueError:
        return ()
    return (str(address), "0.0.0.0" if address.version == 4 else "::") if address.is_loopback else ()


def relays(proc: Path = PROC) -> Iterator[tuple[str, int]]:
    """Address and port of each docker-proxy in our network namespace. The kernel makes the files of /proc/net once for each of those."""
    with suppress(OSError):
        here = (proc / "net" / "tcp").stat().st_ino
        for process in proc.iterdir():
            place = _place(process) if process.name.isdigit() else None
            if place is not None and _is_in(process, here):
                yield place


def _place(process: Path) -> tuple[str, int] | None:
    """Where a docker-proxy listens; None for any other program."""
    try:
        program, *words = (process / "cmdline").read_bytes().rstrip(b"\0").split(b"\0")
    except OSError:  # it has just ended
        return None
    if program.rpartition(b"/")[2] != PROGRAM:
        return None
    options = dict(pairwise(word.decode("ascii", "replace") for word in words))
    port = options.get("-host-port", "")
    return (options.get("-host-ip", ""), int(port)) if options.get("-proto") == "tcp" and port.isdecimal() else None


def _is_in(process: Path, namespace: int) -> bool:
    with suppress(OSError):
        return (process / "net" / "tcp").stat().st_ino == namespace
    return False
