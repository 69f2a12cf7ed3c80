"""The two answers of the API that are not one body: the table, piece by piece, and the events, for as long as a client listens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from aiohttp import web

from devdns.control import shapes
from devdns.control.events import MOST_CLIENTS, Subscription
from devdns.control.registry import Registry


async def table(request: web.Request, registry: Registry) -> web.StreamResponse:
    """The body of `/routes`."""
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    if request.method != "HEAD":
        await _write_table(response, registry)
        await response.write(b"\n")
    return response


async def events(request: web.Request, registry: Registry, heartbeat: float) -> web.StreamResponse:
    """Server-sent events: the table, then each change; a comment every `heartbeat` seconds of silence."""
    if len(registry.events) >= MOST_CLIENTS:
        raise web.HTTPServiceUnavailable(text=f"{MOST_CLIENTS} clients follow already")
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    if request.method != "HEAD":
        with registry.events.subscription() as subscription:
            await _follow(response, subscription, registry, heartbeat)
    return response


async def _follow(
    response: web.StreamResponse, subscription: Subscription, registry: Registry, heartbeat: float
) -> None:
    while True:
        if not await subscription.ready(heartbeat):
            await response.write(b": still here\n\n")
        elif subscription.closed:
            return
        elif subscription.behind:
            subscription.caught_up()
            await response.write(b"event: table\ndata: ")
            await _write_table(response, registry)
            await response.write(b"\n\n")
        else:
            await response.write(subscription.take())


async def _write_table(response: web.StreamResponse, registry: Registry) -> None:
    async for piece in _pieces(registry):
        await response.write(piece)


async def _pieces(registry: Registry) -> AsyncIterator[bytes]:
    """The pieces of one generation, with a turn for the others between two."""
    refusals = [shapes.refusal_shape(source, each) for source, each in registry.refusals()]
    for piece in shapes.table_pieces(registry.table, registry.port, registry.store.conflicts(), refusals):
        yield piece
        await asyncio.sleep(0)
