"""devdns: labels on containers, or a routes file for services that are processes; this machine's names asked of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from devdns_bench.approaches.base import ZONE, Mend
from devdns_bench.approaches.labelled import Labelled
from devdns_bench.stack import Service


class Devdns(Labelled):
    """`devdns up`, and the resolver configured to ask it."""

    name: ClassVar[str] = "devdns"
    title: ClassVar[str] = "devdns"
    programs: ClassVar[tuple[str, ...]] = ("devdns",)
    resolver: ClassVar[tuple[str, int] | None] = ("127.0.0.53", 53)

    def prepare(self, services: Sequence[Service]) -> None:
        self.services = [*services]
        flags = ["--https", "off"]
        if not services[0].container:
            self.site.user.edits(self.config, self._text())
            flags += ["-c", str(self.config)]
        self.site.start("devdns", self.site.tools["devdns"], "up", *flags, root=True)
        self.ask_here()

    @property
    def config(self) -> Path:
        """The routes file, for services that are processes."""
        return self.site.user.home / "devdns.yml"

    def added(self, service: Service) -> Mend:
        def act() -> None:
            self.services.append(service)
            self.site.user.edits(self.config, self._text())

        return Mend("a line in devdns.yml", act)

    def _text(self) -> str:
        routes = [f"  {service.name}: {service.port}" for service in self.services]
        forward = [f"dns: {{forward: [{self.upstream}]}}"] if self.upstream else []
        return "\n".join([f"zone: {ZONE}", "docker: {enabled: false}", *forward, "routes:", *routes, ""])

    def dress(self, service: Service) -> list[str]:
        compose = ("--label=com.docker.compose.project=bench", f"--label=com.docker.compose.service={service.name}")
        return [f"--label=dev.route={service.name}", f"--label=dev.port={service.inner}", *compose]
