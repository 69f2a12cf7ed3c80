"""The bridges of this machine that hold containers. Linux; elsewhere there are none. Standard library only.

A bridge counts when nothing but virtual ends hang on it and the way out of this machine is not through it: one that joins
the local network would open our listeners to strangers.
"""

from __future__ import annotations

import fcntl
import os
import socket
import struct
import sys
from ipaddress import IPv4Interface
from pathlib import Path
from typing import NamedTuple

LINKS = Path("/sys/class/net")
ROUTES = Path("/proc/net/route")
SIOCGIFADDR, SIOCGIFNETMASK = 0x8915, 0x891B


class Bridge(NamedTuple):
    """`place` is the gateway's address and the network it serves: `172.17.0.1/16`."""

    name: str
    place: str

    @property
    def address(self) -> str:
        return self.place.partition("/")[0]


def bridges() -> frozenset[Bridge]:
    """Those that hold containers now and have a private IPv4 address."""
    if sys.platform != "linux":
        return frozenset()
    out = _ways_out()
    names = [link.name for link in _entries(LINKS) if (link / "bridge").is_dir()]
    places = {name: _place(name) for name in names if name not in out and not _joins_a_network(name)}
    return frozenset(Bridge(name, str(place)) for name, place in places.items() if place and place.is_private)


def _entries(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def _joins_a_network(name: str) -> bool:
    """Whether a device, or a link that stands on one (VLAN, bond), hangs on the bridge."""
    ports = [LINKS / port.name for port in _entries(LINKS / name / "brif")]
    return any((port / "device").exists() or any(port.glob("lower_*")) for port in ports)


def _ways_out() -> set[str]:
    """The interfaces of default routes. A name is any bytes but white space, a slash and a colon."""
    try:
        rows = [row.split(b"\t") for row in ROUTES.read_bytes().split(b"\n")[1:]]
    except OSError:
        return set()
    return {os.fsdecode(row[0]) for row in rows if len(row) > 1 and row[1] == b"00000000"}


def _place(name: str) -> IPv4Interface | None:
    request = struct.pack("16s16x8x", os.fsencode(name))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            address, mask = (
                socket.inet_ntoa(fcntl.ioctl(sock, each, request)[20:24]) for each in (SIOCGIFADDR, SIOCGIFNETMASK)
            )
        except OSError:  # no address yet, or gone meanwhile
            return None
    return IPv4Interface(f"{address}/{mask}")
