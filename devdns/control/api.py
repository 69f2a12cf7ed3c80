"""The control API, version 1: requests in, JSON out. What is true and what may change is the registry's business.

`openapi.json` beside this file describes it for machines. Two of these applications run: one on `control.sock` for our own
user, one on `web.sock` for whatever comes through the proxy; they differ in who may ask (`guards.py`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from datetime import timedelta
from pathlib import Path
from time import monotonic

import msgspec
from aiohttp import web
from aiohttp.typedefs import Middleware

import devdns
from devdns.control import metrics, processes, shapes, streams
from devdns.control.answers import JSON, MOST_BODY, answer, body_of, errors
from devdns.control.explain import parse_question
from devdns.control.faults import FaultBoard
from devdns.control.faults_api import FaultsApi
from devdns.control.history import now, stamp
from devdns.control.network_shape import network_shape
from devdns.control.registry import Registry
from devdns.control.shapes import VERSION
from devdns.control.tls_shape import NoTls, TlsFacts
from devdns.control.told import Told
from devdns.core.kinds import read_seconds
from devdns.core.names import Claim, parse_any_claim
from devdns.core.network import Network
from devdns.core.routes import Conflict, RouteTable
from devdns.core.routes_file import bind, read_line
from devdns.core.whence import whence

ORIGIN = "devdns add"
MOST_PROBLEMS = 100
OPENAPI = Path(__file__).with_name("openapi.json").read_bytes()

Listening = dict[str, list[tuple[str, int]]]


class Api:
    """The answers. `instance` names this run of devdns; `listening` are its addresses where no supervisor wrote them down.

    `told` are the figures of the other parts.
    """

    def __init__(self, registry: Registry, instance: str, listening: Listening, heartbeat: float = 15.0) -> None:
        self.network: Callable[[], Network] = Network
        self.faults = FaultsApi(registry, FaultBoard(lambda _: None))
        self.told = Told()
        self.tls: TlsFacts = NoTls()
        self._registry = registry
        self._instance = instance
        self._listening = listening
        self._heartbeat = heartbeat
        self._started = monotonic()
        registry.listeners = self._addresses

    def _addresses(self) -> list[tuple[str, int]]:
        """Where this devdns listens."""
        own = processes.listeners(processes.record()) or self._listening
        return [address for each in own.values() for address in each]

    def application(self, guard: Middleware) -> web.Application:
        """The API behind one door."""
        app = web.Application(middlewares=[errors, guard], client_max_size=MOST_BODY)
        app.add_routes(self.routes())
        app.on_response_prepare.append(_closed_to_pages)
        return app

    def routes(self) -> Iterable[web.RouteDef]:
        """The table of paths."""
        return (
            web.get("/healthz", self.health),
            web.get("/metrics", self.metrics),
            web.get("/api/v1/openapi.json", self.openapi),
            web.get("/api/v1/status", self.status),
            web.get("/api/v1/rates", self.rates),
            web.get("/api/v1/routes", self.table),
            web.get("/api/v1/routes/events", self.events),
            web.put("/api/v1/routes/{name:(?s:.*)}", self.put),
            web.delete("/api/v1/routes/{name:(?s:.*)}", self.remove),
            web.get("/api/v1/explain/{name:(?s:.*)}", self.explain),
            *self.faults.routes(),
            web.get("/api/v1/history", self.history),
            web.get("/api/v1/files", self.files),
            web.post("/api/v1/files", self.attach),
            web.delete("/api/v1/files", self.detach),
        )

    async def health(self, _: web.Request) -> web.Response:
        return answer({"version": VERSION, "ok": True})

    async def metrics(self, _: web.Request) -> web.Response:
        registry = self._registry
        facts = metrics.Facts(
            routes=registry.table,
            generation=registry.table.generation,
            conflicts=len(registry.store.conflicts()),
            refusals=sum(not (each.quiet or each.pending) for _, each in registry.refusals()),
            uptime=monotonic() - self._started,
            sources=tuple(registry.sources),
            processes=processes.running(processes.record()),
        )
        # In a thread: thousands of routes and lines take longer than a change of the table may wait.
        told = (*self.tls.families(), *self.told.families())
        body = await asyncio.to_thread(metrics.page, facts, told)
        return web.Response(body=body, headers={"Content-Type": metrics.CONTENT_TYPE})

    async def openapi(self, _: web.Request) -> web.Response:
        return web.Response(body=OPENAPI, content_type=JSON)

    async def status(self, _: web.Request) -> web.Response:
        registry, record = self._registry, processes.record()
        running = processes.running(record)
        conflicts = registry.store.conflicts()
        sources = [shapes.source_shape(each) for each in registry.sources]
        body = {
            "version": VERSION,
            "devdns": devdns.__version__,
            "instance": self._instance,
            "zones": list(registry.zones.names),
            "generation": registry.table.generation,
            "uptime": round(monotonic() - self._started, 3),
            "listeners": processes.listeners(record) or self._listening,
            "processes": running,
            "sources": sources,
            "routes": len(registry.table),
            "conflicts": len(conflicts),
            "network": network_shape(self.network(), self.told.families()),
            "chaos": self.faults.shown(),
            "targets": [shapes.trouble_shape(each) for each in registry.sighted.troubles()[:MOST_PROBLEMS]],
            "tls": self.tls.shape(),
            "problems": [
                *self.tls.problems(),
                *shapes.problems(sources, running, registry.refusals(), conflicts),
            ][:MOST_PROBLEMS],
        }
        return answer(body)

    async def rates(self, _: web.Request) -> web.Response:
        return answer(shapes.rates_shape(self.told.by_route()))

    async def table(self, request: web.Request) -> web.StreamResponse:
        return await streams.table(request, self._registry)

    async def events(self, request: web.Request) -> web.StreamResponse:
        return await streams.events(request, self._registry, self._heartbeat)

    async def explain(self, request: web.Request) -> web.Response:
        found = await self._registry.explain(request.match_info["name"])
        return answer(shapes.explanation_shape(found, self._registry.port))

    async def history(self, request: web.Request) -> web.Response:
        name, since, most = request.query.get("name"), request.query.get("since"), request.query.get("limit", "1000")
        if not (most.isascii() and most.isdigit() and len(most) <= 4 and int(most)):
            raise web.HTTPBadRequest(text="limit must be a number from 1 to 9999")
        host = parse_question(name, self._registry.zones).host if name else ""
        moment = stamp(now() - timedelta(seconds=read_seconds(since))) if since else ""
        found = await self._registry.history.entries(host, moment, int(most))
        return answer({"version": VERSION, "entries": msgspec.to_builtins(found)})

    async def put(self, request: web.Request) -> web.Response:
        registry, name = self._registry, request.match_info["name"]
        claim = parse_any_claim(name, registry.zones)
        route = bind(read_line(name, await body_of(request), claim.port), claim, source="manual", origin=ORIGIN)
        registry.refuse_loops(route.targets, registry.listeners())
        new = await asyncio.shield(registry.put(route))
        beaten = registry.store.beaten(claim)
        body = {
            "version": VERSION,
            "route": shapes.route_shape(route, registry.port),
            "conflict": shapes.conflict_shape(Conflict(route, beaten[0])) if beaten else None,
        }
        return answer(body, 201 if new else 200)

    async def remove(self, request: web.Request) -> web.Response:
        registry = self._registry
        claim = parse_any_claim(request.match_info["name"], registry.zones)
        if registry.manual_route(claim) is None:
            raise web.HTTPNotFound(text=f"no route {str(claim)!r} was added by hand{_instead(claim, registry.table)}")
        await asyncio.shield(registry.remove(claim))
        return answer({"version": VERSION, "removed": str(claim)})

    async def files(self, _: web.Request) -> web.Response:
        return answer({"version": VERSION, "files": self._registry.files()})

    async def attach(self, request: web.Request) -> web.Response:
        path = await _path(request)
        new = await asyncio.shield(self._registry.attach(path))
        return answer({"version": VERSION, "path": path, "attached": new}, 201 if new else 200)

    async def detach(self, request: web.Request) -> web.Response:
        path = await _path(request)
        if not await asyncio.shield(self._registry.detach(path)):
            raise web.HTTPNotFound(text=f"no file {path!r} is attached")
        return answer({"version": VERSION, "detached": path})


def _instead(claim: Claim, table: RouteTable) -> str:
    """Who else says what the name is; where that is nobody, which other route of the name a hand added, as db:5432 for db."""
    if other := table.get(claim):
        return f": it comes from {whence(other.source, other.origin)}"
    beside = [each.name for each in (*table.at(claim.host), *table.raw(claim.host)) if each.source == "manual"]
    return f", but {', '.join(beside)} was" if beside else ""


async def _path(request: web.Request) -> str:
    body = await body_of(request)
    if set(body) != {"path"} or not isinstance(body["path"], str):
        raise web.HTTPBadRequest(text='the body must be {"path": "/absolute/path"}')
    return str(body["path"])


async def _closed_to_pages(_: web.Request, response: web.StreamResponse) -> None:
    """No other page reads this, guesses its type, frames it or keeps it."""
    response.headers["Server"] = "devdns"
    response.headers.setdefault("Cache-Control", "no-store")
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
    response.headers["Content-Security-Policy"] = "default-src 'none'; frame-ancestors 'none'"
