"""What a child is given by whoever bound the sockets: open sockets by name and the stack's addresses by role."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from devdns.core.errors import UsageRefused

Named = tuple[str, socket.socket]


@dataclass(frozen=True)
class Inherited:
    """`supervisor` is the line to the parent; it closes when the parent is gone. None when there is no parent."""

    sockets: Sequence[Named] = ()
    listening: Mapping[str, Sequence[tuple[str, int]]] = field(default_factory=dict)
    supervisor: socket.socket | None = None

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Inherited:
        """From `DEVDNS_SOCKETS` (`name=fd,...`), `DEVDNS_LISTENING` (JSON) and `DEVDNS_SUPERVISOR` (fd)."""
        entries = filter(None, environ.get("DEVDNS_SOCKETS", "").split(","))
        line = environ.get("DEVDNS_SUPERVISOR")
        listening = json.loads(environ.get("DEVDNS_LISTENING", "{}"))
        return cls(
            [_adopt(entry) for entry in entries],
            {role: [(host, port) for host, port in addresses] for role, addresses in listening.items()},
            socket.socket(fileno=int(line)) if line else None,
        )

    def named(self, name: str) -> list[socket.socket]:
        return [sock for each, sock in self.sockets if each == name]

    def later(self) -> list[Named]:
        """Listeners on bridges, whose names end in `@PLACE`: they may be closed again."""
        return [(name, sock) for name, sock in self.sockets if "@" in name]

    def one(self, name: str) -> socket.socket:
        """The only socket of that name; raises `UsageRefused` when there is none."""
        found = self.named(name)
        if not found:
            raise UsageRefused(f"no {name} socket was handed over", "start the parts with devdns up")
        return found[0]


def by_place(named: Iterable[Named]) -> dict[str, dict[str, list[socket.socket]]]:
    """Listeners on bridges by place (`172.17.0.1/16`) and role."""
    places: dict[str, dict[str, list[socket.socket]]] = {}
    for name, sock in named:
        role, _, place = name.partition("@")
        sock.setblocking(False)
        places.setdefault(place, {}).setdefault(role, []).append(sock)
    return places


def _adopt(entry: str) -> Named:
    name, _, fd = entry.partition("=")
    if not fd.isdigit():
        raise UsageRefused(f"DEVDNS_SOCKETS holds {entry!r}, which is not NAME=FD")
    sock = socket.socket(fileno=int(fd))
    sock.setblocking(False)
    sock.set_inheritable(False)
    return name, sock
