"""The HTTP/2 connections of a proxy, by target: which have room, and the one that is just being opened."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from devdns.core.routes import Target

if TYPE_CHECKING:
    from devdns_proxy.context import Context
    from devdns_proxy.h2up.link import Link


class Links:
    """Connections from their first byte to their last, also those that take no more requests."""

    __slots__ = ("_context", "_links", "_opening")

    def __init__(self, context: Context) -> None:
        self._context = context
        self._links: dict[Target, list[Link]] = {}
        self._opening: dict[Target, asyncio.Task[Link]] = {}

    def free(self, target: Target) -> Link | None:
        """A connection that takes another request."""
        return next((each for each in self._links.get(target, ()) if each.ready.done() and each.room), None)

    async def join(self, target: Target, opened: Callable[[], Awaitable[Link]]) -> Link:
        """A connection with room, `opened` once for all who ask meanwhile; raises what `opened` raises.

        One that has just been opened, and takes no request any more, is returned as it is: it is not for us to insist.
        """
        while True:
            link = self.free(target)
            if link is not None:
                return link
            task = self._opening.get(target)
            if task is None:
                task = self._opening[target] = self._context.loop.create_task(self._open(target, opened))
                task.add_done_callback(lambda done: done.cancelled() or done.exception())
            link = await asyncio.shield(task)  # who waits may be cancelled, the others not with it
            if link.room or link.leaving:
                return link

    async def _open(self, target: Target, opened: Callable[[], Awaitable[Link]]) -> Link:
        try:
            return await opened()
        finally:
            del self._opening[target]

    def add(self, link: Link) -> None:
        self._links.setdefault(link.target, []).append(link)

    def drop(self, link: Link) -> None:
        """Forgets a connection that closed."""
        there = self._links[link.target]
        there.remove(link)
        if not there:
            del self._links[link.target]

    def known(self) -> tuple[Target, ...]:
        return tuple(self._links)

    def let_go(self, target: Target) -> None:
        """The target is another's now: no connection to it takes another request."""
        for link in list(self._links.get(target, ())):
            link.depart()

    def close(self) -> None:
        for task in self._opening.values():
            task.cancel()
        for links in list(self._links.values()):
            for link in list(links):
                link.close()
                link.transport.abort()  # what TLS has to say at the end would outlast the loop
