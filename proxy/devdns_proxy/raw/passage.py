"""One raw TCP connection from its accept to its end: it finds its route, waits while the service is not there, and is relayed."""

from __future__ import annotations

import asyncio
import socket
from time import monotonic
from typing import TYPE_CHECKING

import structlog
from msgspec import Struct

from devdns.core.routes import Route, State, Target
from devdns_proxy.dialling import DialFailed, connect
from devdns_proxy.endings import Ending, How
from devdns_proxy.holding import bound
from devdns_proxy.raw.relay import Relay, reset

if TYPE_CHECKING:
    from devdns_proxy.raw.traffic import Place, RawTraffic

#: What stands in the access log where a request has its method.
METHOD = b"TCP"
UNAVAILABLE = 503
#: The first pause before another dial and the longest, in seconds; only one of those who wait for a name dials.
FIRST, LAST = 0.01, 0.04
#: Behind a relay that takes connections for a service that is down, a connection that lives so long has found one.
PROOF = 0.05

log = structlog.get_logger()


class Turned(Exception):
    """A connection that reaches no service, and why."""


class Found(Struct):
    """A connection to one target of a route."""

    route: Route
    target: Target
    service: socket.socket


class Passage:
    """A client that came in at `place` from the address `peer`."""

    def __init__(self, traffic: RawTraffic, place: Place, client: socket.socket, peer: str) -> None:
        self._traffic = traffic
        self._place = place
        self._client = client
        self._peer = peer
        self._since = monotonic()
        self._held = ""

    async def run(self) -> None:
        """Until the connection is relayed or turned away; raises nothing."""
        try:
            found = await self._find()
        except (Turned, asyncio.CancelledError) as turned:
            self._turn_away(str(turned) or "devdns is stopping")
        except Exception:  # the edge of a connection: the others go on
            log.exception("raw TCP connection failed", place=self._place)
            self._turn_away("an error of devdns's own")
        else:
            self._join(found)

    async def _find(self) -> Found:
        """A connection to the service, as soon as it takes one. Raises `Turned`."""
        refused, pause = 0.0, FIRST
        while True:
            route = self._traffic.route(self._place)
            if route is None:
                raise Turned("no route leads here any more")
            failed = None
            if route.state is State.LIVE:
                try:
                    return await self._dial(route)
                except DialFailed as error:
                    failed = error
                    refused = refused or monotonic()
            else:
                refused, pause = 0.0, FIRST
            await self._wait(route, failed, refused, pause)
            pause = min(pause * 2, LAST)

    async def _wait(self, route: Route, failed: DialFailed | None, refused: float, pause: float) -> None:
        """Until the route is another one, or somebody has reached the service, or it is our turn to dial. Raises `Turned`."""
        traffic, context, name = self._traffic, self._traffic.context, route.name
        reason = failed.reason if failed is not None else f"{name} is {route.state}: {route.reason}"
        passing = failed is None or failed.passing or failed.crowded
        if context.hello is not context.view.hello:
            context.renew()
        left = bound(route, context.hold(), context.limits, self._since, refused) - monotonic()
        if left <= 0 or not passing:
            raise Turned(reason)
        traffic.counters.held += not self._held
        self._held = route.host
        if failed is None or name in traffic.leaders:
            await traffic.news(route.host, left)
            return
        traffic.leaders.add(name)
        try:
            await traffic.news(route.host, min(pause, left))
        finally:
            traffic.leaders.discard(name)

    async def _dial(self, route: Route) -> Found:
        """A connection to one of the targets, each in its turn. Raises the first `DialFailed`."""
        failure = DialFailed(f"{route.name} leads nowhere")
        self._traffic.turns += 1
        start = self._traffic.turns % max(1, len(route.targets))
        for number, target in enumerate((*route.targets[start:], *route.targets[:start])):
            try:
                service = await connect(self._traffic.context, target)
                if route.relayed:
                    await _prove(service, target)
            except DialFailed as failed:
                failure = failure if number else failed
            else:
                if self._held:
                    self._traffic.tell(route.host)
                return Found(route, target, service)
        raise failure

    def _join(self, found: Found) -> None:
        """From here on bytes pass until both sides have ended."""
        traffic, route = self._traffic, found.route
        self._since = monotonic()

        def done(whole: bool) -> None:  # noqa: FBT001 - how it ended, told by the relay
            traffic.over(relay)
            self._note("whole" if whole else "cut", route.name, str(found.target), relay)

        traffic.counters.by_route[route.name] += 1
        try:
            relay = Relay(self._client, found.service, traffic.view, done)
        except OSError:  # the client reset it while it waited
            reset(self._client)
            reset(found.service)
            return
        traffic.relays[relay] = route

    def _turn_away(self, reason: str) -> None:
        traffic = self._traffic
        reset(self._client)
        if self._held:  # those behind may have counted on our dials
            traffic.tell(self._held)
        traffic.counters.failed += 1
        route = traffic.route(self._place)
        name = route.name if route is not None else ""
        if name:
            traffic.context.failures.note(name, UNAVAILABLE, reason)
        self._note("refused", name, reason=reason)

    def _note(self, how: How, name: str, service: str = "", relay: Relay | None = None, reason: str = "") -> None:
        """The line of the access log; its seconds count from the accept, of what was relayed from when it was joined."""
        access = self._traffic.context.access
        if access is None:
            return
        seconds = monotonic() - self._since
        received, sent = (relay.inward.passed, relay.outward.passed) if relay is not None else (0, 0)
        target = "{}:{}".format(*self._place).encode()
        host = name.rpartition(":")[0]
        access(Ending(how, self._peer, METHOD, target, host, b"", name, service, 0, seconds, received, sent, reason))


async def _prove(service: socket.socket, target: Target) -> None:
    """Returns when the service has said something, or nothing for `PROOF` seconds; raises `DialFailed` when it ended the connection."""
    loop = asyncio.get_running_loop()
    heard = asyncio.Event()
    loop.add_reader(service, heard.set)
    try:
        await asyncio.wait_for(heard.wait(), PROOF)
        if service.recv(1, socket.MSG_PEEK):
            return
        reason = "closes connections at once"
    except TimeoutError:
        return
    except OSError as error:
        reason = f"ends connections at once: {error.strerror}"
    except asyncio.CancelledError:
        service.close()
        raise
    finally:
        loop.remove_reader(service)
    service.close()
    raise DialFailed(f"{target} {reason}", passing=True)
