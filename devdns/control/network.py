"""Watches the network this machine is on: VPN up or down, another Wi-Fi, none at all, a machine that slept.

The kernel tells of changes (`links.py`); where it does not, and for what it never tells (resolv.conf, sleep), there is a look
every few seconds. Names below the zones do not depend on any of it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import suppress
from pathlib import Path
from socket import socket

import ifaddr
import structlog

from devdns import links
from devdns.core.network import Network, Scene, Way, default_ways, differences

ROUTES = Path("/proc/net/route")
ROUTES6 = Path("/proc/net/ipv6_route")
RESOLV_CONF = Path("/etc/resolv.conf")
DEVICES = Path("/sys/class/net")
#: Seconds between two looks where nothing was told; and in which a change that comes in pieces becomes one.
LOOK_EVERY = 2.0
SETTLE = 0.1
#: The machine has slept when the clock that goes on then is so many seconds further than the one that stops.
SLEPT = 1.0
MAX_FILE = 65_536
#: Ends of container networks, by the names that engines give where the kernel does not say.
CONTAINERS = ("veth", "docker", "br-", "podman", "cni")

log = structlog.get_logger()


class NetworkWatch:
    """What the network is: `now`, and by `changes` whenever it became another one."""

    def __init__(self) -> None:
        self.now = Network()
        self._told = asyncio.Event()
        self._asleep = asleep()

    async def changes(self) -> AsyncIterator[Network]:
        """The network at once, then after each change, until cancelled."""
        loop = asyncio.get_running_loop()
        kernel = links.changes()
        if kernel is not None:
            loop.add_reader(kernel.fileno(), self._hear, kernel)
        try:
            self.now = Network(1, await self._look())
            yield self.now
            while True:
                await self._wait()
                if self._notice(await self._look(), asleep()):
                    yield self.now
        finally:
            if kernel is not None:
                loop.remove_reader(kernel.fileno())
                kernel.close()

    async def _look(self) -> Scene:
        """The network as it is now, or as it was where the look fails: another one may do better."""
        try:
            return await asyncio.to_thread(look)
        except Exception:  # the edge: what a system may call its links is anybody's guess
            log.exception("the network cannot be looked at")
            return self.now.scene

    def _hear(self, kernel: socket) -> None:
        links.drain(kernel)
        self._told.set()

    async def _wait(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(LOOK_EVERY):
                await self._told.wait()
                await asyncio.sleep(SETTLE)
        self._told.clear()

    def _notice(self, scene: Scene, slept: float) -> bool:
        """Whether the network is another one than before, or may be, after a sleep."""
        words = list(differences(self.now.scene, scene))
        if slept - self._asleep > SLEPT:
            words.insert(0, f"the machine slept for {slept - self._asleep:.0f} s")
        self._asleep = slept
        if not words:
            return False
        self.now = Network(self.now.epoch + 1, scene)
        tell = log.warning if self.now.online is False else log.info
        tell("network changed", changes=words, online=self.now.online)
        return True


def asleep() -> float:
    """Seconds this machine has slept since it was started; 0 where that cannot be told."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return 0.0 if clock is None else time.clock_gettime(clock) - time.clock_gettime(time.CLOCK_MONOTONIC)


def look() -> Scene:
    """The network as it is now."""
    return Scene(ways(), tuple(sorted(addresses())), servers(_text(RESOLV_CONF)))


def ways() -> tuple[Way, ...] | None:
    """The ways out; None on a system without /proc."""
    if not ROUTES.exists():
        return None
    return default_ways(_text(ROUTES), _text(ROUTES6))


def addresses() -> Iterable[str]:
    """The addresses of links to somewhere: not of loopback, nor of what engines made for containers."""
    with suppress(OSError, ValueError):  # ValueError: a name that is no UTF-8, which the library cannot read past
        for adapter in ifaddr.get_adapters():
            if adapter.name == "lo" or _is_containers(adapter.name):
                continue
            for each in adapter.ips:
                host = each.ip if isinstance(each.ip, str) else each.ip[0]
                if not host.startswith(("127.", "fe80:", "169.254.")):
                    yield f"{adapter.name} {host}/{each.network_prefix}"


def _is_containers(name: str) -> bool:
    device = DEVICES / name
    return name.startswith(CONTAINERS) or (device / "bridge").exists() or (device / "brport").exists()


def servers(text: str) -> tuple[str, ...]:
    """The name servers of resolv.conf(5)."""
    rows = [line.split() for line in text.splitlines()]
    return tuple(row[1][:100] for row in rows if len(row) > 1 and row[0] == "nameserver")


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(MAX_FILE).decode("utf-8", "replace")
    except OSError:
        return ""
