"""Binds listening sockets: each candidate address in turn, UDP and TCP together for DNS. Standard library only.

Whoever binds (the supervisor, a stand-alone part, the in-process run) gets open sockets and lines that tell what was
not to be had and who holds it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from devdns.core.errors import UsageRefused
from devdns.ports import holder

BACKLOG = 4096
UDP_BUFFER = 1 << 20
SO_BINDTODEVICE = 25  # asm-generic/socket.h; absent from Python's socket on other systems
PAIR_ATTEMPTS = 16
NOT_PERMITTED = (errno.EACCES, errno.EPERM)
NO_FAMILY = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)
Address = tuple[str, int]


@dataclass(frozen=True)
class Wanted:
    """One listener of a plan: its role (`dns`, `http` or `https`) and addresses to try in turn; `optional` may be missing."""

    role: str
    candidates: tuple[Address, ...]
    optional: bool = False

    @classmethod
    def parse(cls, row: Mapping[str, Any]) -> Wanted:
        addresses = tuple((str(host), int(port)) for host, port in row["candidates"])
        return cls(row["role"], addresses, bool(row.get("optional", False)))


@dataclass
class Listeners:
    """Open sockets by name (`dns-udp`, `dns-tcp`, `http`, `https`), their addresses by role, and what a person should know."""

    sockets: list[tuple[str, socket.socket]] = field(default_factory=list)
    addresses: dict[str, list[Address]] = field(default_factory=lambda: {"dns": [], "http": [], "https": []})
    notes: list[str] = field(default_factory=list)
    denied: list[str] = field(default_factory=list)
    instead: list[str] = field(default_factory=list)

    def told(self) -> list[str]:
        """The notes, with all that this user may not have in one line."""
        if not self.denied:
            return self.notes
        line = f"{', '.join(self.denied)}: ports below 1024 need root; using {', '.join(self.instead)}"
        return [line, *self.notes]

    def named(self, *names: str) -> list[socket.socket]:
        return [sock for name, sock in self.sockets if name in names]

    def spread(self, names: tuple[str, ...], count: int) -> list[list[tuple[str, socket.socket]]]:
        """What each of `count` processes is given of the listeners of these names: one of its own at each address.

        The kernel spreads connections over them. With one for all, whichever process wakes first takes all that a burst brings.
        """
        found = [(name, sock) for name, sock in self.sockets if name in names]
        spread = [found] + [[(name, _beside(sock)) for name, sock in found] for _ in range(count - 1)]
        first = {sock for _, sock in found}
        self.sockets += [(name, sock) for each in spread for name, sock in each if sock not in first]
        return spread

    def close(self) -> None:
        for _, sock in self.sockets:
            sock.close()
        self.sockets.clear()


def open_listeners(wanted: Iterable[Wanted], handed: Iterable[tuple[str, socket.socket]] = ()) -> Listeners:
    """Binds all of them, or none: raises `UsageRefused` naming the address, who holds it and the mend.

    For a role of which open sockets were `handed` over, these are all there is.
    """
    listeners, wanted = Listeners(), list(wanted)
    try:
        there = _take(handed, {each.role for each in wanted}, listeners)
        for each in wanted:
            if each.role not in there:
                _open(each, listeners)
    except BaseException:
        listeners.close()
        raise
    return listeners


def _take(handed: Iterable[tuple[str, socket.socket]], wanted: set[str], listeners: Listeners) -> set[str]:
    """Keeps what was handed over for the wanted roles, and returns those; nobody would serve the others."""
    there = set()
    for name, sock in handed:
        role = name.partition("-")[0]
        if role not in wanted:
            sock.close()
            continue
        there.add(role)
        listeners.sockets.append((name, sock))
        address = sock.getsockname()[:2]
        if address not in listeners.addresses[role]:
            listeners.addresses[role].append(address)
    return there


def _open(wanted: Wanted, listeners: Listeners) -> None:
    failures = []
    for address in _alike(wanted, listeners.addresses[wanted.role]):
        try:
            sockets = bind_dns(*address) if wanted.role == "dns" else [(wanted.role, bind_tcp(*address))]
        except OSError as error:
            if wanted.optional and error.errno in NO_FAMILY:
                listeners.notes.append(f"{show(address)} is not there: this machine has no such address")
                return
            failures.append((address, error))
            continue
        bound = sockets[0][1].getsockname()[:2]
        listeners.sockets += sockets
        listeners.addresses[wanted.role].append(bound)
        _tell(wanted.role, failures, bound, listeners)
        return
    if wanted.optional:
        listeners.notes += [f"{_why(wanted.role, *each)}; going on without" for each in failures]
        return
    raise UsageRefused("; ".join(_why(wanted.role, *each) for each in failures), _mend(wanted.role, failures[-1][1]))


def _alike(wanted: Wanted, bound: list[Address]) -> tuple[Address, ...]:
    """The candidates, of an optional one only those with a port that its role has already.

    A name has one URL and an address of each family: with another program at 127.0.0.1:80 and devdns at [::1]:80, it would lead to either.
    """
    ports = {port for _, port in bound}
    return tuple(each for each in wanted.candidates if not (wanted.optional and ports) or each[1] in ports)


def _tell(role: str, failures: list[tuple[Address, OSError]], bound: Address, listeners: Listeners) -> None:
    for address, error in failures:
        if error.errno in NOT_PERMITTED:
            listeners.denied.append(f"{role} {show(address)}")
            listeners.instead.append(show(bound))
        else:
            listeners.notes.append(f"{_why(role, address, error)}; using {show(bound)}")


def bind_tcp(host: str, port: int, device: str = "") -> socket.socket:
    """A listening TCP socket; with `device` it hears only what comes in there (Linux). Raises OSError."""
    sock = socket.socket(_family(host), socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if device:
            sock.setsockopt(socket.SOL_SOCKET, SO_BINDTODEVICE, os.fsencode(device))
        _v6_only(sock)
        sock.bind((host, port))
        sock.listen(BACKLOG)
        sock.setblocking(False)
    except BaseException:
        sock.close()
        raise
    return sock


def _beside(sock: socket.socket) -> socket.socket:
    """Another listener at the address of `sock`; that one itself where the kernel does not spread connections.

    Nor does it where systemd opened `sock` for us: we may not bind beside it. That others may be bound beside it is set now and not before: until then the address was ours alone or refused.
    """
    if sys.platform != "linux":
        return sock
    other = socket.socket(sock.family, socket.SOCK_STREAM)
    try:
        for each in (sock, other):
            each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        _v6_only(other)
        other.bind(sock.getsockname())
        other.listen(BACKLOG)
        other.setblocking(False)
    except OSError:
        other.close()
        return sock
    return other


def bind_udp(host: str, port: int) -> socket.socket:
    """A bound UDP socket with a receive buffer for bursts; raises OSError."""
    sock = socket.socket(_family(host), socket.SOCK_DGRAM)
    try:
        _v6_only(sock)
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, UDP_BUFFER)
        sock.bind((host, port))
        sock.setblocking(False)
    except BaseException:
        sock.close()
        raise
    return sock


def bind_dns(host: str, port: int) -> list[tuple[str, socket.socket]]:
    """UDP and TCP on one port; port 0 takes one that is free for both. Raises OSError."""
    for attempt in range(PAIR_ATTEMPTS):
        udp = bind_udp(host, port)
        try:
            return [("dns-udp", udp), ("dns-tcp", bind_tcp(host, udp.getsockname()[1]))]
        except OSError:
            udp.close()
            if port or attempt == PAIR_ATTEMPTS - 1:
                raise
    raise AssertionError("unreachable: the last attempt returns or raises")


def bind_unix(name: str) -> socket.socket:
    """A listening Unix socket of mode 0600; a stale one of that name is replaced (the caller holds the folder's lock)."""
    Path(name).unlink(missing_ok=True)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    old = os.umask(0o177)
    try:
        sock.bind(name)
    finally:
        os.umask(old)
    sock.listen(BACKLOG)
    sock.setblocking(False)
    return sock


def show(address: Address) -> str:
    """`127.0.0.1:80`, `[::1]:80`."""
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _v6_only(sock: socket.socket) -> None:
    if sock.family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)


def _why(role: str, address: Address, error: OSError) -> str:
    if error.errno in NOT_PERMITTED:
        return f"{role} {show(address)} is not permitted for this user: ports below 1024 need root"
    if error.errno == errno.EADDRINUSE:
        owner = holder(*address, "tcp") or (holder(*address, "udp") if role == "dns" else None)
        return f"{role} {show(address)} is taken by {owner or 'another program'}"
    return f"{role} {show(address)} cannot be had: {error.strerror}"


def _mend(role: str, error: OSError) -> str:
    if error.errno in NOT_PERMITTED:
        return f"run as root, or choose a port above 1023 with --{role} ADDR:PORT"
    if error.errno == errno.EADDRINUSE:
        return f"stop that program, or choose another address with --{role} ADDR:PORT"
    return f"choose an address of this machine with --{role} ADDR:PORT"
