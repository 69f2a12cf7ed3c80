"""Keeps our block in the hosts file in step with the names that are known; what follows the names is the caller."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from devdns.system import hosts, hosts_file

HOSTS = Path("/etc/hosts")


def keep_in_step(owner: str, names: Iterable[str], path: Path = HOSTS) -> bool:
    """Whether the file was changed. A block that is not there is not made: only `devdns system install` does that.

    Wildcards are left out, for a hosts file has none. Raises OSError and `DevdnsError`, with the file as it was.
    """
    known = [name for name in names if not name.startswith("*.")]

    def update(text: bytes) -> bytes:
        return hosts.with_block(text, owner, known) if hosts.has_block(text, owner) else text

    return hosts_file.change(path, update)
