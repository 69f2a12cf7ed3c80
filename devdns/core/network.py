"""The network this machine is on, as the parts and a person are told of it. Values only; who looks is control.

What a container engine adds and takes away (bridges and their ends) is no other network.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from ipaddress import IPv6Address

from msgspec import Struct

MOST_SHOWN = 16
#: RTF_UP and RTF_REJECT of linux/route.h.
UP, REJECT = 0x1, 0x200
#: What stands between blanks: the name of an interface may hold any other character.
FIELD = re.compile("[^ ]+")


class Way(Struct, frozen=True, gc=False, order=True):
    """A way out of this machine: the interface of a default route and its gateway (empty on a point-to-point link)."""

    interface: str
    gateway: str = ""

    def __str__(self) -> str:
        return f"{self.interface} via {self.gateway}" if self.gateway else self.interface


class Scene(Struct, frozen=True):
    """What was seen at one look. `ways` None: this system does not tell. `addresses` as `eth0 10.0.0.7/24`; `servers` of resolv.conf."""

    ways: tuple[Way, ...] | None = None
    addresses: tuple[str, ...] = ()
    servers: tuple[str, ...] = ()


class Network(Struct, frozen=True, tag="network"):
    """The network in force. `epoch` grows each time it becomes another one, and when the machine has slept."""

    epoch: int = 0
    scene: Scene = Scene()

    @property
    def online(self) -> bool | None:
        """Whether there is a way out; None where that cannot be told."""
        return None if self.scene.ways is None else bool(self.scene.ways)


def differences(old: Scene, new: Scene) -> Iterator[str]:
    """What became of the network, one clause each."""
    if old.ways != new.ways:
        yield f"the way out is {_list(new.ways or ()) or 'gone'}"
    gone, come = set(old.addresses) - set(new.addresses), set(new.addresses) - set(old.addresses)
    if gone:
        yield f"{_list(sorted(gone))} left"
    if come:
        yield f"{_list(sorted(come))} came"
    if old.servers != new.servers:
        yield f"resolv.conf names {_list(new.servers) or 'no server'}"


def _list(things: Iterable[object]) -> str:
    words = list(map(str, things))
    return ", ".join(words[:MOST_SHOWN]) + (", ..." if len(words) > MOST_SHOWN else "")


def default_ways(ipv4: str, ipv6: str) -> tuple[Way, ...]:
    """The ways out, from the texts of /proc/net/route and /proc/net/ipv6_route (proc_net(5)); what cannot be read is passed over."""
    return tuple(dict.fromkeys((*_ways4(ipv4), *_ways6(ipv6))))


def _ways4(text: str) -> Iterator[Way]:
    rows = [row.split("\t") for row in text.split("\n")[1:]]
    found = [row for row in rows if len(row) >= 8 and row[1] == row[7] == "00000000" and _usable(row[3])]
    for row in sorted(found, key=lambda row: int(row[6])):
        raw = bytes.fromhex(row[2])[::-1]
        yield Way(row[0], ".".join(map(str, raw)) if any(raw) else "")


def _ways6(text: str) -> Iterator[Way]:
    rows = [FIELD.findall(row) for row in text.split("\n")]
    found = [row for row in rows if len(row) == 10 and row[1] == "00" and not row[0].strip("0") and _usable(row[8])]
    for row in sorted(found, key=lambda row: int(row[5], 16)):
        if row[9] != "lo":
            yield Way(row[9], _text6(row[4]) if row[4].strip("0") else "")


def _usable(flags: str) -> bool:
    return int(flags, 16) & (UP | REJECT) == UP


def _text6(raw: str) -> str:
    return str(IPv6Address(bytes.fromhex(raw)))
