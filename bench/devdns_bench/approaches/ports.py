"""Names or none, but always ports: plain ports, a hosts file, and two DNS servers that send a whole zone to this machine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from devdns_bench.approaches.base import DNS, ZONE, Address, Approach, Mend
from devdns_bench.stack import Service


class Ports(Approach):
    """`http://localhost:8001/`: nothing to install, everything to remember."""

    name: ClassVar[str] = "ports"
    title: ClassVar[str] = "plain ports"
    most: ClassVar[int] = 0
    why_no_more: ClassVar[str] = "it has no names"

    def prepare(self, services: Sequence[Service]) -> None:
        self.services = [*services]

    def address(self, service: Service) -> Address:
        return Address("127.0.0.1", service.port)

    def moved(self, service: Service) -> Mend | None:
        what = f"the port in every address that is written down: now {service.port}"
        return Mend(what, lambda: self.site.user.notes("edit", what))

    def scaled(self, service: Service, second: Service) -> Mend | None:  # noqa: ARG002 - an address holds one port
        return None


class HostsFile(Ports):
    """A line for each service in the hosts file; the port stays in the address."""

    name: ClassVar[str] = "hosts"
    title: ClassVar[str] = "hosts file + ports"
    most: ClassVar[int] = 1_000_000
    why_no_more: ClassVar[str] = ""

    def prepare(self, services: Sequence[Service]) -> None:
        self.services = [*services]
        self.hosts_lines()

    def added(self, service: Service) -> Mend:
        return Mend("a line in the hosts file", lambda: self.hosts_line(service))

    def address(self, service: Service) -> Address:
        return Address(f"{service.name}.{ZONE}", service.port)


class Dnsmasq(HostsFile):
    """Dnsmasq sends the zone to this machine; the port stays in the address."""

    name: ClassVar[str] = "dnsmasq"
    title: ClassVar[str] = "dnsmasq + ports"
    programs: ClassVar[tuple[str, ...]] = ("dnsmasq",)
    resolver: ClassVar[tuple[str, int] | None] = (DNS, 53)

    def prepare(self, services: Sequence[Service]) -> None:
        self.services = [*services]
        config = self.site.user.home / "dnsmasq.conf"
        lines = [
            "no-resolv",
            f"local=/{ZONE}/",
            "no-hosts",
            "user=",
            "pid-file=",
            f"listen-address={DNS}",
            "bind-interfaces",
            "local-ttl=1",
            *([f"server={self.upstream}"] if self.upstream else []),
        ]
        self.site.user.edits(config, "\n".join([*lines, f"address=/{ZONE}/127.0.0.1", ""]), root=True)
        self.site.start("dnsmasq", self.site.tools["dnsmasq"], "-k", "-C", str(config), root=True)
        self.ask_here()

    def added(self, service: Service) -> Mend:  # noqa: ARG002 - the whole zone is sent here
        return Mend("nothing: every name of the zone leads here", lambda: None)


class CoreDns(Dnsmasq):
    """CoreDNS does the same by a template."""

    name: ClassVar[str] = "coredns"
    title: ClassVar[str] = "CoreDNS + ports"
    programs: ClassVar[tuple[str, ...]] = ("coredns",)

    def prepare(self, services: Sequence[Service]) -> None:
        self.services = [*services]
        config = self.site.user.home / "Corefile"
        answer = "{{ .Name }} 1 IN A 127.0.0.1"
        forward = f"  forward . {self.upstream}\n" if self.upstream else ""
        text = (
            f'.:53 {{\n{forward}  bind {DNS}\n  template IN A {ZONE} {{\n    answer "{answer}"\n  }}\n'
            f"  template ANY ANY {ZONE} {{\n    rcode NOERROR\n  }}\n}}\n"
        )
        self.site.user.edits(config, text, root=True)
        self.site.start("coredns", self.site.tools["coredns"], "-conf", str(config), root=True)
        self.ask_here()
