"""Who holds a port: the program, its process id and (of a devdns) its state folder, for messages about a busy address.

Standard library only and nothing of ours, because the supervisor uses it. Reads `/proc` on Linux and asks `lsof` on
macOS. Other users' processes stay hidden without root; then the user who owns the socket is named instead.
"""

from __future__ import annotations

import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import Literal, NamedTuple

Kind = Literal["tcp", "udp"]
Address = IPv4Address | IPv6Address

OURS = "devdns"
STATE_DIR = b"DEVDNS_STATE_DIR="
PROC = Path("/proc")
LSOF = "/usr/sbin/lsof"
LSOF_SECONDS = 5.0
#: The `st` column of /proc/net: a listening TCP socket, an unconnected UDP one (include/net/tcp_states.h).
STATES: dict[str, str] = {"tcp": "0A", "udp": "07"}


class Bound(NamedTuple):
    """One bound socket as the kernel lists it."""

    address: Address
    port: int
    uid: int
    inode: int


def holder(address: str, port: int, kind: Kind, *, proc: Path = PROC) -> str | None:
    """Who holds the address, as `nginx (pid 812)`; None when nobody does or it cannot be told."""
    wanted = ip_address(address)
    if sys.platform == "darwin":
        return _listed(_lsof(port, kind), wanted, port)
    found = [each for each in _sockets(proc, kind) if each.port == port and _overlap(each.address, wanted)]
    if not found:
        return None
    return _program(proc, {each.inode for each in found}) or f"a program of user {_user(found[0].uid)}"


def _overlap(held: Address, wanted: Address) -> bool:
    """True when a socket bound to `held` keeps `wanted` from being bound: equal, or one of them the wildcard."""
    if held.version != wanted.version:
        return held == IPv6Address("::")  # a dual-stack wildcard holds the IPv4 port too
    return held == wanted or held.is_unspecified or wanted.is_unspecified


def _sockets(proc: Path, kind: Kind) -> Iterator[Bound]:
    for table in (kind, kind + "6"):
        try:
            text = (proc / "net" / table).read_text("ascii", "replace")
        except OSError:  # no IPv6 in this kernel, or no /proc
            continue
        yield from bound(text, STATES[kind])


def bound(text: str, state: str) -> Iterator[Bound]:
    """The rows of a `/proc/net/tcp|tcp6|udp|udp6` table that are in `state`."""
    for line in text.splitlines()[1:]:
        fields = line.split()
        if len(fields) > 9 and fields[3] == state:
            address, _, port = fields[1].rpartition(":")
            yield Bound(_address(address), int(port, 16), int(fields[7]), int(fields[9]))


def _address(digits: str) -> Address:
    """Each 32-bit word is in network order, printed as a number of this machine's byte order."""
    words = [int(digits[start : start + 8], 16) for start in range(0, len(digits), 8)]
    return ip_address(struct.pack(f"={len(words)}I", *words))


def _program(proc: Path, inodes: set[int]) -> str | None:
    links = {f"socket:[{inode}]" for inode in inodes}
    for process in sorted((each for each in proc.iterdir() if each.name.isdigit()), key=lambda each: int(each.name)):
        if _holds(process, links):
            name = _name(process)
            return f"{name} (pid {process.name}{_state_folder(process) if name == OURS else ''})"
    return None


def _holds(process: Path, links: set[str]) -> bool:
    try:
        return any(_link(each) in links for each in (process / "fd").iterdir())
    except OSError:  # another user's, or it just ended
        return False


def _link(descriptor: Path) -> str:
    try:
        return str(descriptor.readlink())
    except OSError:  # closed since it was listed
        return ""


def _name(process: Path) -> str:
    """The program's own name; a Python that runs devdns is called that, since `python3` would tell nobody anything."""
    try:
        if b"devdns" in (process / "cmdline").read_bytes():
            return OURS
        name = (process / "comm").read_text("utf-8", "replace").strip()
    except OSError:
        return "a program"
    return _printable(name)


def _state_folder(process: Path) -> str:
    """Which devdns it is: what `devdns down --state-dir` wants to know."""
    try:
        variables = (process / "environ").read_bytes().split(b"\0")
    except OSError:
        return ""
    found = next((each for each in variables if each.startswith(STATE_DIR)), None)
    return f", state folder {_printable(found[len(STATE_DIR) :].decode('utf-8', 'replace'))}" if found else ""


def _printable(text: str) -> str:
    return "".join(each if each.isprintable() else "?" for each in text)


def _user(uid: int) -> str:
    import pwd  # noqa: PLC0415 - only needed for a busy port, and the supervisor starts faster without it

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _lsof(port: int, kind: Kind) -> str:
    state = ["-sTCP:LISTEN"] if kind == "tcp" else []
    command = [LSOF, "-nP", f"-i{kind.upper()}:{port}", *state, "-Fpcn"]
    try:
        done = subprocess.run(command, capture_output=True, timeout=LSOF_SECONDS, check=False)  # noqa: S603 - fixed program, a number in the arguments
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode("utf-8", "replace")


def _listed(text: str, wanted: Address, port: int) -> str | None:
    """The first program in `lsof -Fpcn` output whose socket overlaps the wanted address."""
    pid = name = ""
    for line in text.splitlines():
        field, value = line[:1], line[1:]
        if field == "p":
            pid = value
        elif field == "c":
            name = value
        elif field == "n" and value.endswith(f":{port}") and _overlap(_lsof_address(value, wanted), wanted):
            return f"{name} (pid {pid})"
    return None


def _lsof_address(value: str, wanted: Address) -> Address:
    host = value.rpartition(":")[0].strip("[]")
    if host == "*":
        return ip_address(socket.INADDR_ANY) if wanted.version == 4 else IPv6Address("::")
    return ip_address(host.partition("%")[0])
