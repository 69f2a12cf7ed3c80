"""portless: its proxy on port 80 and an alias for each published port, as its manual says for Docker."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from devdns_bench.approaches.base import Address, Approach, Mend
from devdns_bench.stack import Service


class Portless(Approach):
    """It writes the hosts file itself."""

    name: ClassVar[str] = "portless"
    title: ClassVar[str] = "portless"
    programs: ClassVar[tuple[str, ...]] = ("node", "portless")
    proxies: ClassVar[bool] = True
    most: ClassVar[int] = 100
    why_no_more: ClassVar[str] = "an alias is a command of half a second each"

    def prepare(self, services: Sequence[Service]) -> None:
        self.services = [*services]
        self.ask_upstream()
        words = ("proxy", "start", "--no-tls", "--port", "80", "--tld", "test", "--foreground")
        self.site.start("portless", *self._command(), *words, root=True, shown=f"portless {' '.join(words)}")
        self.site.listens("portless", 80)  # an alias that comes before is lost
        for service in services:
            self._alias(service)

    def address(self, service: Service) -> Address:
        return Address(f"{service.name}.test", 80)

    def moved(self, service: Service) -> Mend | None:
        return Mend("portless alias with the new port", lambda: self._alias(service))

    def scaled(self, service: Service, second: Service) -> Mend | None:  # noqa: ARG002 - an alias holds one port
        return None

    def added(self, service: Service) -> Mend:
        return Mend("portless alias", lambda: self._alias(service))

    def _alias(self, service: Service) -> None:
        words = ("alias", service.name, str(service.port), "--force")
        self.site.user.types(*self._command(), *words, shown=f"portless {' '.join(words)}", root=True)

    def _command(self) -> tuple[str, ...]:
        return (self.site.tools["node"], self.site.tools["portless"])
