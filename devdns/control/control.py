"""The control process: the parts list of providers, registry, snapshots and API, and their start and stop.

It runs in the state folder and opens what is there by relative name. Nothing is written before `start`, which runs after
the privileges are dropped; everything is imported before.
"""

from __future__ import annotations

import asyncio
import logging
import os
import stat
import uuid
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from socket import socket
from typing import TYPE_CHECKING

import structlog
from aiohttp import web
from aiohttp.typedefs import Middleware

from devdns.control import guards, token
from devdns.control.api import Api
from devdns.control.faults import FaultBoard
from devdns.control.faults_api import FaultsApi
from devdns.control.gate import Gate
from devdns.control.last_words import LastWords
from devdns.control.network import NetworkWatch
from devdns.control.recall import Recall
from devdns.control.registry import Registry
from devdns.control.snapshots import Snapshots, listen
from devdns.control.tls_shape import NoTls
from devdns.core.chaos import Faults
from devdns.core.errors import DevdnsError
from devdns.core.frames import VERSION, Hello
from devdns.core.names import Zones
from devdns.core.routes import Change
from devdns.core.settings import Config
from devdns.core.sources import Provider
from devdns.providers.file import FileProvider
from devdns.providers.manual import ManualRoutes

if TYPE_CHECKING:
    from devdns.control.tls import Tls

#: aiohttp logs a traceback for each malformed request; what fails in ours is logged by `answers.errors`.
SILENT = logging.Logger("aiohttp of control", logging.CRITICAL)
FIRST_WORDS = 0.5
GRACE = 1.0
MANUAL = "routes.json"
TOKEN = "token"  # noqa: S105 # the name of its file

Addresses = tuple[tuple[str, int], ...]
log = structlog.get_logger()


class Control:
    """`config_path` is the file of `devdns up`, `http` and `https` the addresses the proxy listens on."""

    def __init__(self, config: Config, config_path: str | None, http: Addresses, https: Addresses = ()) -> None:
        zones = Zones(config.zones)
        self.instance = os.environ.get("DEVDNS_INSTANCE") or uuid.uuid4().hex
        self._last = LastWords(self.instance)
        self.registry = Registry(
            zones, best_port(http), ManualRoutes(MANUAL, zones), partial(FileProvider, zones=zones), config_path
        )
        self.registry.sources.recall = Recall(config.hold)
        self.registry.probes.hold = config.hold
        self.registry.sources.remember(self._last)
        self._snapshots = Snapshots(Hello(VERSION, self.instance, config, http, https), lambda: self.registry.table)
        self._tls = tls_of(config, self.registry) if https else None
        self.registry.tell = self._publish
        self.registry.sighted = self._snapshots.sighted
        self.registry.sighted.failed = self.registry.history.failed
        self._api = Api(
            self.registry,
            self.instance,
            {"dns": list(config.dns.listen or ()), "http": list(http), "https": list(https)},
        )
        self._faults = FaultBoard(self._snapshots.publish_aside)
        self.registry.faults = self._faults.of
        self._snapshots.publish_aside(Faults())  # a follower may still hold those of a control before this one
        self._api.faults = FaultsApi(self.registry, self._faults)
        self._network = NetworkWatch()
        self._api.network = lambda: self._network.now
        self._watching: asyncio.Task[None] | None = None
        self._api.told = self._snapshots.told
        self._api.tls = self._tls or NoTls()
        self._providers = list(providers(config, zones))
        self._config = config
        self._web = (*http, *https)
        self._runners: list[web.AppRunner] = []
        self._servers: list[asyncio.Server] = []

    def groups(self) -> tuple[int, ...]:
        """The groups that may use the Docker sockets: to be kept when control is no longer root. Root's group never."""
        if self._config.docker.enabled is False:
            return ()
        return docker_groups(self._config.docker.hosts or (None,))

    def _publish(self, change: Change) -> None:
        self._snapshots.publish(change)
        if self._tls is not None:
            self._tls.server.know(change.hosts())

    async def start(self, control: socket, snapshots: socket, web: socket, leaves: socket | None = None) -> None:
        """Serves the listening sockets, once the files and manual routes were read (or half a second passed)."""
        gate = Gate(self.registry.zones, known_ports(self._web), token.load(Path(TOKEN)))
        self.registry.start(self._providers)
        for source in switched_off(self._config):
            self.registry.sources.off(source, f"{source}.enabled is false")
        await self.registry.first_words(FIRST_WORDS)
        if self._tls is not None and leaves is not None:
            await self._tls.server.start(leaves)
        elif leaves is not None:
            leaves.close()  # a proxy that connects all the same is refused, and tries again
        await self._snapshots.start(snapshots)
        self._watching = asyncio.create_task(self._watch_network(), name="network")
        await self._serve(control, guards.local())
        await self._serve(web, guards.from_web(gate))
        log.info("control is up", instance=self.instance, routes=len(self.registry.table))

    async def stop(self) -> None:
        """Ends the streams, closes the doors, stops the providers. The table stays in force where it was sent."""
        self.registry.events.close()
        self._faults.close()
        if self._watching is not None:
            self._watching.cancel()
        for server in self._servers:
            server.close()
        for runner in self._runners:
            await runner.cleanup()
        await self._snapshots.stop()
        if self._tls is not None:
            await self._tls.server.stop()
        await self.registry.close()
        await self._last.close()

    async def _watch_network(self) -> None:
        try:
            async for network in self._network.changes():
                self._snapshots.publish_aside(network)
        except Exception:  # the edge of the watch: routes and names do without it
            log.exception("the network is not watched any more")

    async def _serve(self, sock: socket, guard: Middleware) -> None:
        runner = web.AppRunner(
            self._api.application(guard),
            access_log=None,
            logger=SILENT,
            handler_cancellation=True,
            shutdown_timeout=GRACE,
        )
        await runner.setup()
        self._runners.append(runner)
        assert runner.server is not None  # noqa: S101 # set up on the line above
        self._servers.append(await listen(sock, runner.server))


def providers(config: Config, zones: Zones) -> Iterator[Provider]:
    """The providers that are switched on, besides files and manual routes. Their libraries are loaded here, or never."""
    if config.docker.enabled is not False:
        from devdns.providers.docker import DockerProvider  # noqa: PLC0415 # 10 MB that a stack without Docker saves

        for host in config.docker.hosts or (None,):
            yield DockerProvider(config.docker, zones, host, hold=config.hold)
    if config.mdns.enabled:
        from devdns.providers.mdns import MdnsProvider  # noqa: PLC0415 # loads zeroconf

        yield MdnsProvider(config.mdns, zones, config.hold)


def tls_of(config: Config, registry: Registry) -> Tls:
    """The CA and its leaves. Their library is loaded here, or never."""
    from devdns.control.tls import Tls  # noqa: PLC0415 # 8 MB that a stack without https saves

    def hosts() -> Iterator[str]:
        return registry.table.hosts()  # of the table in force when it is asked

    return Tls(config, registry.zones, hosts)


def docker_groups(hosts: Iterable[str | None]) -> tuple[int, ...]:
    """The groups of the Unix sockets of these engines; one that cannot be found is the provider's to tell."""
    from devdns.providers.docker_hosts import endpoint  # noqa: PLC0415 # as above

    groups = set()
    for host in hosts:
        with suppress(OSError, ValueError, DevdnsError):
            found = Path(endpoint(host, os.environ).socket).stat()
            if stat.S_ISSOCK(found.st_mode) and found.st_gid:
                groups.add(found.st_gid)
    return tuple(groups)


def switched_off(config: Config) -> list[str]:
    """The sources that the configuration leaves out."""
    wanted = {"docker": config.docker.enabled is not False, "mdns": config.mdns.enabled}
    return [source for source, on in wanted.items() if not on]


def known_ports(http: Addresses) -> frozenset[int]:
    """The ports a browser may name; empty for any, where a listener on all addresses is published under another port."""
    everywhere = any(ip_address(host).is_unspecified for host, _ in http)
    return frozenset() if everywhere else frozenset(port for _, port in http)


def best_port(http: Addresses) -> int:
    """The port in the URLs we tell: 80 where the proxy has it."""
    ports = [port for _, port in http]
    return 80 if 80 in ports or not ports else ports[0]
