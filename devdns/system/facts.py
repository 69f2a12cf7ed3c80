"""What a plan depends on: what this machine is, as values. Looking is here, deciding is in `resolvers.py` and `services.py`."""

from __future__ import annotations

import os
import pwd
import re
import sys
from pathlib import Path

from msgspec import Struct

from devdns.system.machine import BOOTED

LISTS = re.compile(r"[,\s]+")


class Machine(Struct, frozen=True):
    """The resolver's side of a machine. `holder` is who listens on port 53 of the first server in resolv.conf, in words.

    `resolved_servers` are systemd-resolved's own global ones, which it has besides those of each link.
    """

    platform: str = "linux"
    resolv_conf: str = ""
    resolv_link: str = ""
    holder: str = ""
    resolved_runs: bool = False
    resolved_servers: tuple[str, ...] = ()
    networkmanager: str = ""
    dnsmasq: bool = False
    unbound: bool = False
    musl: bool = False
    booted: bool = False
    ipv6: bool = True

    @property
    def servers(self) -> tuple[str, ...]:
        """The name servers of resolv.conf(5)."""
        rows = [line.split() for line in self.resolv_conf.splitlines()]
        return tuple(row[1] for row in rows if len(row) > 1 and row[0] == "nameserver")


class Person(Struct, frozen=True):
    """Who uses devdns here, and where: the user of a service and whose home the files go to."""

    name: str
    uid: int
    gid: int
    home: str
    state_dir: str
    python: str = sys.executable
    config: str = ""
    is_root: bool = False

    @property
    def user(self) -> tuple[int, int]:
        return self.uid, self.gid


def person(state_dir: Path, config: Path | None) -> Person:
    """Under sudo who called it."""
    uid = int(os.environ.get("SUDO_UID") or 0) if os.geteuid() == 0 else os.geteuid()
    found = pwd.getpwuid(uid)
    return Person(
        found.pw_name,
        uid,
        found.pw_gid,
        found.pw_dir,
        str(state_dir),
        sys.executable,
        str(config) if config else "",
        os.geteuid() == 0,
    )


def owner(folder: Path) -> tuple[int, int]:
    """Whose a folder is, with the primary group; who runs this where there is none yet."""
    uid = folder.stat().st_uid if folder.exists() else os.geteuid()
    try:
        return uid, pwd.getpwuid(uid).pw_gid
    except KeyError:
        return uid, uid


def first_server() -> str:
    """The server that resolv.conf names first; empty when it names none."""
    return next(iter(Machine(resolv_conf=_text("/etc/resolv.conf")).servers), "")


def machine(holder: str) -> Machine:
    """The machine as it is now; `holder` is who holds port 53 of `first_server`."""
    resolv = Path("/etc/resolv.conf")
    return Machine(
        sys.platform,
        _text(str(resolv)),
        str(resolv.readlink()) if resolv.is_symlink() else "",
        holder,
        Path("/run/systemd/resolve").is_dir(),
        resolved_servers(_text("/etc/systemd/resolved.conf"), *_drop_ins("/etc/systemd/resolved.conf.d")),
        "\n".join([_text("/etc/NetworkManager/NetworkManager.conf"), *_drop_ins("/etc/NetworkManager/conf.d")]),
        Path("/etc/dnsmasq.d").is_dir(),
        Path("/etc/unbound/unbound.conf.d").is_dir(),
        any(Path("/lib").glob("ld-musl-*")),
        BOOTED.is_dir(),
        "00000000000000000000000000000001" in _text("/proc/net/if_inet6") or sys.platform == "darwin",
    )


def resolved_servers(*texts: str) -> tuple[str, ...]:
    """The global servers of systemd-resolved, from its files in their order: lists add up, and an empty one begins anew."""
    servers: list[str] = []
    for line in "\n".join(texts).splitlines():
        key, equals, value = line.strip().partition("=")
        if key.strip() == "DNS" and equals:
            servers = [*servers, *filter(None, LISTS.split(value))] if value.strip() else []
    return tuple(servers)


def _drop_ins(folder: str) -> list[str]:
    """The files of others; what ours says is not this machine's."""
    found = sorted(Path(folder).glob("*.conf")) if Path(folder).is_dir() else []
    return [_text(str(each)) for each in found if "devdns" not in each.name]


def _text(path: str) -> str:
    try:
        return Path(path).read_text("utf-8", "replace")
    except OSError:
        return ""
