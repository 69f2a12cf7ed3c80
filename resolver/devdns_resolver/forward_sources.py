"""Which upstreams are in force: those of `dns.forward`, or the system's, whose files are looked at again and again."""

from __future__ import annotations

import structlog

from devdns_resolver.forward_io import Files, Listeners
from devdns_resolver.forward_system import PATHS, SystemDns, chosen, parse_address
from devdns_resolver.forward_upstreams import Address, Upstreams
from devdns_resolver.wirename import Labels

log = structlog.get_logger()

#: Seconds between two looks at the system's files.
LOOK_EVERY = 1.0


class Sources:
    """Keeps `upstreams` to what is configured, without our own `listeners`. `search` are the user's own domains."""

    def __init__(self, paths: tuple[str, ...] = PATHS) -> None:
        self.listeners = Listeners()
        self.upstreams = Upstreams()
        self.search: tuple[Labels, ...] = ()
        self._paths = paths
        self._files = Files(paths)
        self._forward: str | tuple[str, ...] = "off"
        self._looked = float("-inf")

    def configure(self, forward: str | tuple[str, ...]) -> None:
        """Takes `dns.forward` as it is in force now."""
        if forward != self._forward:
            self._forward, self._files, self._looked = forward, Files(self._paths), float("-inf")

    @property
    def wanted(self) -> bool:
        """Whether anything is to be forwarded."""
        return self._forward != "off"

    def revive(self) -> None:
        """Nobody counts as dead any more, and the files are looked at with the next question."""
        self.upstreams.revive()
        self._looked = float("-inf")

    def refresh(self, now: float) -> bool:
        """Looks at the files when it is time; whether the upstreams are others than before.

        Files that changed mean another network: nobody counts as dead any more.
        """
        if now < self._looked + LOOK_EVERY:
            return False
        self._looked = now
        texts = self._files.changed()
        if texts is None:
            return False
        system = chosen(texts, self.listeners.__contains__)
        addresses, self.search = self._addresses(system), system.search
        self.upstreams.revive()
        if addresses == self.upstreams.addresses:
            return False
        self.upstreams.replace(addresses)
        log.info("upstreams", upstreams=self.shown())
        return True

    def shown(self) -> list[str]:
        """The addresses, for logs."""
        return [f"{host}#{port}" for host, port in self.upstreams.addresses]

    def _addresses(self, system: SystemDns) -> tuple[Address, ...]:
        if isinstance(self._forward, str):
            return system.upstreams if self._forward == "system" else ()
        return tuple(each for each in map(parse_address, self._forward) if each not in self.listeners)
