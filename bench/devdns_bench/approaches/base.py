"""What the bench asks of an approach: to be prepared, to follow a change, to be taken down, and to say what a hand must do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import ClassVar, NamedTuple

from devdns_bench.rooms import HOSTS, RESOLV
from devdns_bench.site import Site
from devdns_bench.stack import Service

ZONE = "dev.test"
DNS = "127.0.0.1"


class Address(NamedTuple):
    """What a user types: `http://host:port/`."""

    host: str
    port: int


class Mend(NamedTuple):
    """What a person must do after a change, and the doing."""

    what: str
    act: Callable[[], None]


class Approach(ABC):
    """One approach at one site.

    `programs`: what it needs, as named in peers.toml. `resolver`: (address, port) of the DNS server it brings, if any. `proxies`: whether
    requests pass through it.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    programs: ClassVar[tuple[str, ...]] = ()
    resolver: ClassVar[tuple[str, int] | None] = None
    proxies: ClassVar[bool] = False
    #: How many names it can be given in reasonable time, and why not more; 0: it has no names.
    most: ClassVar[int] = 1_000_000
    why_no_more: ClassVar[str] = ""
    #: Services that are processes do not exist for it.
    containers_only: ClassVar[bool] = False
    #: Learns of changes by itself; the others are told where services are by hand.
    follows: ClassVar[bool] = False

    def __init__(self, site: Site) -> None:
        self.site = site
        self.services: list[Service] = []
        #: Where names that are not ours are asked, if anywhere: set before `prepare`.
        self.upstream = ""

    @property
    def server(self) -> str:
        """The DNS server's address as resolv.conf wants it."""
        return self.resolver[0] if self.resolver else ""

    @abstractmethod
    def prepare(self, services: Sequence[Service]) -> None:
        """From a clean state until the services have only to be started."""

    def dress(self, service: Service) -> list[str]:
        """The flags of `docker run`; by default the port is published."""
        return [f"--publish=127.0.0.1:{service.port}:{service.inner}"]

    def address(self, service: Service) -> Address:
        """How it is asked for, now."""
        return Address(f"{service.name}.{ZONE}", 80)

    def moved(self, service: Service) -> Mend | None:
        """What must be done by hand once a service listens on another port."""
        raise NotImplementedError

    def scaled(self, service: Service, second: Service) -> Mend | None:
        """What must be done by hand so that a second replica is used; None where nothing can or need be done."""
        raise NotImplementedError

    def added(self, service: Service) -> Mend:
        """What must be done by hand so that one more name works."""
        raise NotImplementedError

    def teardown(self) -> None:
        """The approach's own way to end, without tidying by hand after it."""
        self.site.stop_all()

    def hosts_lines(self) -> None:
        """By hand: a line in the hosts file for every service."""
        lines = [f"127.0.0.1 {self.address(service).host}" for service in self.services]
        self.site.user.adds(HOSTS, "\n".join([*lines, ""]), root=True)
        self.ask_upstream()

    def hosts_line(self, service: Service) -> None:
        """By hand: one more."""
        self.site.user.adds(HOSTS, f"127.0.0.1 {self.address(service).host}\n", root=True)

    def ask_upstream(self) -> None:
        """Names that are not in the hosts file are asked elsewhere, as on any machine."""
        if self.upstream:
            RESOLV.write_text(f"nameserver {self.upstream}\n")

    def ask_here(self) -> None:
        """By hand: this machine's names are asked of the approach's own DNS server."""
        self.site.user.edits(RESOLV, f"nameserver {self.server}\n", root=True)
