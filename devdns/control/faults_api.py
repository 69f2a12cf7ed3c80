"""`/api/v1/chaos`: which faults are in force, and asking for some or for none."""

from __future__ import annotations

import time
from typing import Any

from aiohttp import web

from devdns.control.answers import answer, body_of
from devdns.control.faults import MOST, FaultBoard
from devdns.control.registry import Registry
from devdns.control.shapes import VERSION
from devdns.core.chaos import Chaos, read_chaos
from devdns.core.names import parse_claim


def chaos_shape(name: str, chaos: Chaos, now: float) -> dict[str, Any]:
    """The faults of one route, and for how many seconds they still count."""
    return {
        "name": name,
        "latency": chaos.latency,
        "error": chaos.error,
        "reset": chaos.reset,
        "flap": chaos.flap,
        "left": round(max(0.0, chaos.until - now), 3),
        "faults": str(chaos),
    }


class FaultsApi:
    """The three requests."""

    def __init__(self, registry: Registry, board: FaultBoard) -> None:
        self._registry = registry
        self._board = board

    def routes(self) -> tuple[web.RouteDef, ...]:
        return (
            web.get("/api/v1/chaos", self.list),
            web.put("/api/v1/chaos/{name:(?s:.*)}", self.put),
            web.delete("/api/v1/chaos/{name:(?s:.*)}", self.remove),
        )

    def shown(self) -> list[dict[str, Any]]:
        """Every fault in force."""
        return [chaos_shape(name, chaos, time.time()) for name, chaos in self._board.rows()]

    async def list(self, _: web.Request) -> web.Response:
        return answer({"version": VERSION, "chaos": self.shown()})

    async def put(self, request: web.Request) -> web.Response:
        route = self._registry.table.get(parse_claim(request.match_info["name"], self._registry.zones))
        if route is None:
            raise web.HTTPNotFound(text=f"no route {request.match_info['name']!r}: see devdns routes")
        if self._board.full and route.name not in dict(self._board.rows()):
            raise web.HTTPConflict(text=f"{MOST} routes have faults already: end one with devdns chaos NAME --off")
        chaos = read_chaos(await body_of(request), time.time())
        self._board.put(route.name, chaos)
        return answer({"version": VERSION, "chaos": chaos_shape(route.name, chaos, time.time())})

    async def remove(self, request: web.Request) -> web.Response:
        name = str(parse_claim(request.match_info["name"], self._registry.zones))
        if not self._board.remove(name):
            raise web.HTTPNotFound(text=f"{name} has no faults of ours")
        return answer({"version": VERSION, "removed": name})
