"""mDNS as a source: services of type `_http._tcp` that ask for a name.

Announcements are strangers' input: what is kept of them is bounded here, as zeroconf bounds its cache. A service is down
when it says goodbye, or when its records ran out and it does not answer when asked; its routes stay for their hold.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import suppress
from ipaddress import ip_address
from itertools import chain

import ifaddr
from zeroconf import Error, InterfaceChoice, IPVersion, ServiceStateChange, Zeroconf
from zeroconf.asyncio import AsyncServiceBrowser, AsyncServiceInfo, AsyncZeroconf

from devdns.core.holding import HOLD, Holding
from devdns.core.names import Zones
from devdns.core.settings import MdnsConfig
from devdns.core.sources import Refusal, Statement, Trouble
from devdns.providers.mdns_routes import SOURCE, Address, Announced, Reading, plain, read

TYPE = "_http._tcp.local."
MAX_SERVICES = 1_000
MAX_REFUSED = 200
#: Services asked for what their announcement left out: waiting, and at once.
MAX_WAITING = 500
AT_ONCE = 20
#: After so many names the browser starts afresh: it remembers each one for as long as a stranger's TTL says.
MAX_NAMES = 20_000
ANSWER = 3_000  # milliseconds a service has to answer
GATHER = 0.02  # seconds in which announcements become one statement
TICK = 2.0  # seconds between looks at the interfaces and at records that ran out


class MdnsProvider:
    """The mDNS source. Listens on all IPv4 interfaces, again when they change."""

    source = SOURCE

    def __init__(self, config: MdnsConfig, zones: Zones, hold: float = HOLD) -> None:
        self.config = config
        self.zones = zones
        self._holding = Holding(hold)
        self._readings: dict[str, Reading] = {}
        self._beyond = 0
        self._names = 0
        self._own: frozenset[Address] = frozenset()
        self._tick = 0.0
        self._news = asyncio.Event()
        self._asking: dict[str, asyncio.Task[None]] = {}
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._zeroconf: AsyncZeroconf | None = None
        self._browser: AsyncServiceBrowser | None = None

    async def watch(self) -> AsyncIterator[Statement | Trouble]:
        """States what is announced, now and after each change; trouble when nothing can be heard."""
        # zeroconf logs what strangers send; what matters of it is said here.
        logging.getLogger("zeroconf").setLevel(logging.CRITICAL)
        said: Statement | Trouble | None = None
        try:
            while True:
                told = await self._listen() or self._statement()
                if told != said:
                    said = told
                    yield told
                await self._wait()
        finally:
            await self._close()

    async def _wait(self) -> None:
        """Until something is announced or a hold is over, at most to the next tick; then records that ran out are asked for."""
        loop = asyncio.get_running_loop()
        with suppress(TimeoutError):
            async with asyncio.timeout_at(min(self._tick, self._holding.due() or self._tick)):
                await self._news.wait()
                await asyncio.sleep(GATHER)
        self._news.clear()
        if loop.time() >= self._tick:
            self._tick = loop.time() + TICK
            for name in list(self._readings):
                self._heard(name)

    async def _listen(self) -> Trouble | None:
        """Opens the sockets, anew when this machine's addresses changed; trouble when that fails."""
        try:
            own = _own_addresses()
            fresh = {each for each in own if each.version == 4} == {each for each in self._own if each.version == 4}
            self._own = own
            if self._zeroconf is not None and fresh and self._names < MAX_NAMES:
                return None
            await self._close()
            self._names = 0
            self._zeroconf = AsyncZeroconf(interfaces=InterfaceChoice.All, ip_version=IPVersion.V4Only)
            await self._zeroconf.zeroconf.async_wait_for_start()
            self._browser = AsyncServiceBrowser(self._zeroconf.zeroconf, TYPE, handlers=[self._changed])
        except (OSError, Error, TimeoutError, RuntimeError) as error:
            await self._close()
            return Trouble(f"mDNS cannot listen: {str(error) or type(error).__name__}", "it is tried again every 2 s")
        return None

    async def _close(self) -> None:
        for task in self._asking.values():
            task.cancel()
        self._asking.clear()
        browser, zeroconf, self._browser, self._zeroconf = self._browser, self._zeroconf, None, None
        with suppress(OSError, Error, TimeoutError):
            if browser is not None:
                await browser.async_cancel()
        with suppress(OSError, Error, TimeoutError):
            if zeroconf is not None:
                await zeroconf.async_close()

    def _changed(self, *, zeroconf: Zeroconf, service_type: str, name: str, state_change: ServiceStateChange) -> None:  # noqa: ARG002 - zeroconf calls it so
        """Called by zeroconf, in the loop, after the cache holds the new records."""
        if state_change is ServiceStateChange.Removed:
            self._fall(name, "said goodbye")
        else:
            self._names += state_change is ServiceStateChange.Added
            self._heard(name)

    def _heard(self, name: str) -> None:
        """Reads a service from the cache; asks for it when a part is missing."""
        info = _info(name)
        if info is None or self._zeroconf is None:
            return
        if info.load_from_cache(self._zeroconf.zeroconf):
            self._keep(name, info)
        elif name not in self._asking:
            if len(self._asking) < MAX_WAITING:
                self._asking[name] = asyncio.create_task(self._ask(name, info, self._zeroconf.zeroconf))
            else:
                self._beyond += 1

    async def _ask(self, name: str, info: AsyncServiceInfo, zeroconf: Zeroconf) -> None:
        try:
            async with self._turns:
                answered = await info.async_request(zeroconf, ANSWER)
        except (OSError, Error):
            answered = False
        self._asking.pop(name, None)
        if answered:
            self._keep(name, info)
        else:
            self._fall(name, "does not answer any more")

    def _keep(self, name: str, info: AsyncServiceInfo) -> None:
        reading = read(_announced(name, info), self.config, self.zones, self._own)
        if name in self._holding:
            self._holding.rise(name)
            self._news.set()
        if not reading:
            self._forget(name)
        elif self._readings.get(name) != reading:
            if name in self._readings or self._has_room(reading):
                self._readings[name] = reading
            else:
                self._beyond += 1
            self._news.set()

    def _has_room(self, reading: Reading) -> bool:
        """Refused services have a place of their own, so that strangers cannot crowd out this machine's."""
        alike = sum(bool(each.routes) == bool(reading.routes) for each in self._readings.values())
        return alike < (MAX_SERVICES if reading.routes else MAX_REFUSED)

    def _fall(self, name: str, what: str) -> None:
        """A service went down: what it had is held."""
        reading = self._readings.get(name)
        if reading is not None and len(self._holding) < MAX_SERVICES:
            reason = f"mDNS service {plain(name.removesuffix('.' + TYPE))} {what}"
            self._holding.fall(name, reading.routes, reason, asyncio.get_running_loop().time())
        self._forget(name)

    def _forget(self, name: str) -> None:
        if self._readings.pop(name, None) is not None:
            self._news.set()

    def _statement(self) -> Statement:
        held = self._holding.routes(asyncio.get_running_loop().time()).values()
        up = (reading.routes for reading in self._readings.values())
        routes = tuple(chain.from_iterable((*held, *up)))
        refusals = tuple(refusal for reading in self._readings.values() for refusal in reading.refusals)
        if self._beyond:
            refusals += (Refusal("mDNS", "*", "more services are announced than are looked at", quiet=True),)
        return Statement(routes, refusals)


def _info(name: str) -> AsyncServiceInfo | None:
    try:
        return AsyncServiceInfo(TYPE, name)
    except Error:
        return None


def _announced(name: str, info: AsyncServiceInfo) -> Announced:
    addresses = (ip_address(each.packed) for each in info.ip_addresses_by_version(IPVersion.All))
    return Announced(name[: -len(TYPE) - 1], tuple(addresses), info.port or 0, info.properties)


def _own_addresses() -> frozenset[Address]:
    """Every address of every interface of this machine."""
    found = (each.ip for adapter in ifaddr.get_adapters() for each in adapter.ips)
    return frozenset(ip_address(ip if isinstance(ip, str) else ip[0]) for ip in found)
