"""Which loopback address each raw TCP name has for itself: the same one for good, kept in `addresses.json` of the state folder.

An address is the hash of its name, or the next that is free; that of another name is taken only when none is free. A file
that is torn costs the memory of collisions and nothing else.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Callable, Container
from contextlib import suppress
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import msgspec
import structlog
from msgspec import Struct

from devdns.core.own_addresses import NETWORK
from devdns.core.plain_file import read_regular

NAME = Path("addresses.json")
VERSION = 1
MAX_SIZE = 32 << 20

log = structlog.get_logger()


class _Kept(Struct):
    """The file: the address of each host, those given first in front."""

    addresses: dict[str, str]
    version: int = VERSION


class Addresses:
    """The addresses of `network` that were given; `save` writes them down. A disk that fails costs the memory, not the names."""

    def __init__(self, path: Path = NAME, network: IPv4Network = NETWORK) -> None:
        self._path = path
        self._network = network
        self._given: dict[str, str] | None = None
        self._taken: set[str] = set()
        self._unsaved = False

    def of(self, host: str, in_use: Callable[[], Container[str]] = tuple) -> str:
        """The address of a canonical host, given now where it has none. `in_use` tells the hosts that keep theirs whatever comes."""
        given = self._load()
        if host not in given:
            given[host] = self._free(host) or self._taken_back(given, in_use())
            self._taken.add(given[host])
            self._unsaved = True
        return given[host]

    def save(self) -> None:
        """Writes down what was given since the last time."""
        if self._unsaved:
            self._unsaved = False
            self._write(self._load())

    def _free(self, host: str) -> str:
        """The address that the name hashes to, or the next free one; empty when all are given. The first and last are nobody's."""
        size = self._network.num_addresses - 2
        if len(self._taken) >= size:
            return ""
        start = int.from_bytes(hashlib.sha256(host.encode()).digest()[:8]) % size
        first = int(self._network.network_address) + 1
        tried = (str(IPv4Address(first + (start + step) % size)) for step in range(size))
        return next(each for each in tried if each not in self._taken)

    def _taken_back(self, given: dict[str, str], in_use: Container[str]) -> str:
        """The address that was given longest ago to a name that is not in use."""
        oldest = next((each for each in given if each not in in_use), next(iter(given)))
        return given.pop(oldest)

    def _load(self) -> dict[str, str]:
        if self._given is None:
            self._given = self._read()
            self._taken = set(self._given.values())
        return self._given

    def _read(self) -> dict[str, str]:
        """What the file holds that can be true: addresses of the network, each of one name."""
        with suppress(OSError):  # what a writer that was killed left behind
            for rest in self._path.parent.glob(f"{self._path.name}.*.tmp"):
                rest.unlink()
        try:
            kept = msgspec.json.decode(read_regular(self._path, MAX_SIZE), type=_Kept)
        except FileNotFoundError:
            return {}
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            log.warning("addresses are given anew", path=str(self._path), error=str(error))
            return {}
        names = {address: host for host, address in reversed(kept.addresses.items()) if self._has(address)}
        return {host: address for host, address in kept.addresses.items() if names.get(address) == host}

    def _has(self, text: str) -> bool:
        try:
            address = IPv4Address(text)
        except ValueError:
            return False
        ends = (self._network.network_address, self._network.broadcast_address)
        return address in self._network and address not in ends

    def _write(self, given: dict[str, str]) -> None:
        """Beside the old one and renamed over it: a reader or a crash meets one or the other."""
        fresh = self._path.with_name(f"{self._path.name}.{secrets.token_hex(4)}.tmp")
        try:
            descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(msgspec.json.format(msgspec.json.encode(_Kept(given)), indent=2) + b"\n")
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(self._path)
        except OSError as error:
            with suppress(OSError):
                fresh.unlink()
            log.warning("addresses not kept", path=str(self._path), error=str(error))
