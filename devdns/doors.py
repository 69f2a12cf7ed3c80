"""Listeners on bridges: a container asks its gateway, on the ports we have anyway. Opened and closed as bridges come and go.

Only the supervisor binds; the sockets carry the bridge's place in their names (`dns-udp@172.17.0.1/16`), by which the
children know whom they serve.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable, Mapping, Sequence

from devdns.bridges import Bridge
from devdns.listeners import Address, bind_dns, bind_tcp, show

EVERYWHERE = ("0.0.0.0", "::")
#: More than anybody has; each costs three sockets and a few megabytes of buffers.
MOST = 64
Named = tuple[str, socket.socket]


def role_of(named: Named) -> str:
    """`dns-udp@172.17.0.1/16` and `dns-tcp@...` are dns, `https@...` is https."""
    return named[0].partition("@")[0].partition("-")[0]


class Doors:
    """What is open, by bridge. `listening` are the addresses that are there anyway, by role."""

    def __init__(self, listening: Mapping[str, Sequence[Address]]) -> None:
        everywhere = {role for role, each in listening.items() if any(host in EVERYWHERE for host, _ in each)}
        self._ports = {role: each[0][1] for role, each in listening.items() if each and role not in everywhere}
        self._open: dict[Bridge, list[Named]] = {}
        self._told: set[str] = set()
        self.notes: list[str] = []

    def reconcile(self, found: Iterable[Bridge]) -> tuple[list[Named], list[str]]:
        """Opens and closes what has changed: the new sockets, and the places that are closed. `notes` tell what failed, once."""
        there = frozenset(sorted(found)[:MOST])
        gone = [bridge for bridge in self._open if bridge not in there]
        for bridge in gone:
            for _, sock in self._open.pop(bridge):
                sock.close()
        fresh = [bridge for bridge in there if bridge not in self._open]
        for bridge in fresh:
            self._open[bridge] = self._bound(bridge)
        return [each for bridge in fresh for each in self._open[bridge]], [bridge.place for bridge in gone]

    def named(self, *roles: str) -> list[Named]:
        return [each for opened in self._open.values() for each in opened if role_of(each) in roles]

    def addresses(self, role: str) -> list[Address]:
        return list(dict.fromkeys(sock.getsockname()[:2] for _, sock in self.named(role)))

    def close(self) -> None:
        self.reconcile(())

    def _bound(self, bridge: Bridge) -> list[Named]:
        """DNS is told friend from stranger by its source; HTTP only hears what comes in by the bridge itself."""
        sockets: list[Named] = []
        for role, port in self._ports.items():
            try:
                dns = role == "dns"
                bound = bind_dns(bridge.address, port) if dns else [(role, bind_tcp(bridge.address, port, bridge.name))]
            except OSError as error:
                self._note(f"{role} {show((bridge.address, port))} on {bridge.name} cannot be had: {error.strerror}")
            else:
                sockets += [(f"{name}@{bridge.place}", sock) for name, sock in bound]
        return sockets

    def _note(self, line: str) -> None:
        if line not in self._told:
            self._told.add(line)
            self.notes.append(line)
