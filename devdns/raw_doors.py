"""Doors of raw TCP names: listeners at loopback addresses of their own, and our HTTP ports beside them. Standard library only.

Control says which doors there are to be, the supervisor binds them, and nothing but them: whatever it is asked for, it binds
only addresses of `NETWORK`. Their sockets carry the place in their names: `tcp@127.77.3.9:5432`, `http@127.77.3.9`.
"""

from __future__ import annotations

import errno
import json
import socket
import sys
from collections.abc import Iterable, Mapping, Sequence
from ipaddress import IPv4Address
from itertools import islice
from typing import Any

from devdns.core.own_addresses import NETWORK
from devdns.doors import EVERYWHERE, Named
from devdns.listeners import NOT_PERMITTED, Address, bind_tcp, show
from devdns.ports import holder

ROLE = "tcp"
#: More than anybody has; each costs one socket, and one for each of our HTTP ports.
MOST = 1_000
#: Reasons in one message, which has a bound.
MOST_TOLD = 100


class DoorsRefused(ValueError):
    """What control asks for is no list of places in `NETWORK`."""


class RawDoors:
    """What is open, by place. `listening` are our addresses that are there anyway, by role; `shut` says why a door is not to be had."""

    def __init__(self, listening: Mapping[str, Sequence[Address]]) -> None:
        self._roles = {
            role: each[0][1]
            for role, each in listening.items()
            if role != "dns" and each and not any(host in EVERYWHERE for host, _ in each)
        }
        self._doors: dict[Address, socket.socket] = {}
        self._beside: dict[str, list[Named]] = {}
        self.shut: dict[Address, str] = {}

    def reconcile(self, wanted: Iterable[Address]) -> tuple[list[Named], list[str]]:
        """Opens and closes what has changed: the new sockets, and the places that are closed."""
        there = dict.fromkeys(wanted)
        hosts = {host for host, _ in there}
        closed = [self._close(place) for place in list(self._doors) if place not in there]
        closed += [self._leave(host) for host in list(self._beside) if host not in hosts]
        self.shut = {}
        opened: list[Named] = []
        for place in there:
            if place not in self._doors:
                opened += self._open(place)
        for host in {host for host, _ in self._doors} - self._beside.keys():
            self._beside[host] = self._ours(host)
            opened += self._beside[host]
        return opened, closed

    def sockets(self) -> list[Named]:
        """All that is open."""
        doors = [(f"{ROLE}@{show(place)}", sock) for place, sock in self._doors.items()]
        return doors + [named for each in self._beside.values() for named in each]

    def told(self) -> dict[str, list[list[Any]]]:
        """What control is told: places that are open, and those that are not, each with its reason."""
        return {
            "open": [list(place) for place in self._doors],
            "shut": [[*place, why] for place, why in islice(self.shut.items(), MOST_TOLD)],
        }

    def close(self) -> None:
        self.reconcile(())

    def _open(self, place: Address) -> list[Named]:
        if len(self._doors) >= MOST:
            self.shut[place] = f"{MOST} raw TCP names are open already"
            return []
        try:
            sock = bind_tcp(*place)
        except OSError as error:
            self.shut[place] = why(place, error)
            return []
        self._doors[place] = sock
        return [(f"{ROLE}@{show(place)}", sock)]

    def _ours(self, host: str) -> list[Named]:
        """The name leads to its own address now, so its HTTP is served there too: without, where that port is another's."""
        found: list[Named] = []
        for role, port in self._roles.items():
            if (host, port) not in self._doors:
                try:
                    found.append((f"{role}@{host}", bind_tcp(host, port)))
                except OSError as error:
                    self.shut.setdefault((host, port), why((host, port), error))
        return found

    def _close(self, place: Address) -> str:
        self._doors.pop(place).close()
        return show(place)

    def _leave(self, host: str) -> str:
        for _, sock in self._beside.pop(host):
            sock.close()
        return host


def read(word: bytes) -> list[Address]:
    """The places that a word of control asks for; raises `DoorsRefused` for whatever else it holds."""
    try:
        return places(json.loads(word))
    except (ValueError, RecursionError) as error:  # ValueError: no JSON, no text, or a number longer than Python reads
        raise DoorsRefused(str(error)) from None


def places(rows: object) -> list[Address]:
    """The places of a message of control; raises `DoorsRefused` for anything but addresses of `NETWORK` and ports."""
    try:
        found = [(str(IPv4Address(host)), int(port)) for host, port in rows]  # type: ignore[attr-defined] # whatever JSON holds
    except (TypeError, ValueError, OverflowError) as error:  # JSON as Python reads it knows Infinity
        raise DoorsRefused(f"{rows!r} is no list of places: {error}") from None
    for host, port in found:
        if IPv4Address(host) not in NETWORK or not 0 < port < 65536:
            raise DoorsRefused(f"{host}:{port} is not a place of {NETWORK}")
    return found


def why(place: Address, error: OSError) -> str:
    """Why a door is not to be had, who holds it and what helps."""
    host, port = place
    if error.errno in NOT_PERMITTED:
        return f"port {port} is not permitted for this user: ports below 1024 need root - start devdns up as root, or name another port"
    if error.errno == errno.EADDRNOTAVAIL:
        lend = "sudo ifconfig lo0 alias" if sys.platform == "darwin" else "sudo ip address add dev lo"
        return f"this machine has no address {host} - {lend} {host}"
    if error.errno == errno.EADDRINUSE:
        owner = holder(host, port, "tcp") or "another program"
        return f"{show(place)} is taken by {owner} - let it listen on 127.0.0.1:{port} instead of on all addresses"
    return f"{show(place)} cannot be had: {error.strerror}"
