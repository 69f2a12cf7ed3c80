"""The page for people as an event stream: its content anew whenever it is another, to everybody who looks at it.

It is drawn once for all who asked by the same Host, when the table in force is another or after two seconds, and only while
somebody looks. Who reads slowly gets the newest content and none of those between.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing, suppress

from aiohttp import hdrs, web

from devdns_proxy.own_relay import write

#: Seconds until sources, problems and rates are asked for again, and between two looks at the table in force.
TURN = 2.0
GLANCE = 0.1
HEARTBEAT = 15.0
MOST_LOOKING = 64

Draw = Callable[[str], Awaitable[str]]


class Live:
    """All who look. `draw` gives the content for a Host, `now` a value that is another when the table in force is."""

    def __init__(self, draw: Draw, now: Callable[[], object]) -> None:
        self._draw = draw
        self._now = now
        self._views: dict[str, _View] = {}
        self.closed = False

    def __len__(self) -> int:
        return sum(view.looking for view in self._views.values())

    def close(self) -> None:
        """Ends all streams."""
        self.closed = True
        for view in self._views.values():
            view.news.set()

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """The content of the page, now and whenever it is another."""
        if len(self) >= MOST_LOOKING:
            raise web.HTTPServiceUnavailable(reason="Too many pages follow already")
        response = web.StreamResponse(headers={hdrs.CONTENT_TYPE: "text/event-stream", hdrs.CACHE_CONTROL: "no-store"})
        await response.prepare(request)
        if request.method == hdrs.METH_GET:
            async with aclosing(self._contents(request.headers[hdrs.HOST])) as contents:
                async for content in contents:
                    await write(response, _event(content))
        return response

    async def _contents(self, host: str) -> AsyncGenerator[str]:
        """Each newer content; an empty one after a long silence."""
        view = self._views.get(host)
        if view is None:
            view = self._views[host] = _View()
            view.task = asyncio.create_task(self._redraw(host, view), name=f"page for {host}")
        view.looking += 1
        seen = 0
        try:
            while not self.closed:
                if view.number == seen and not await view.newer(HEARTBEAT):
                    yield ""
                elif view.number != seen:
                    seen = view.number
                    yield view.content
        finally:
            view.looking -= 1
            if not view.looking:
                del self._views[host]
                view.task.cancel()

    async def _redraw(self, host: str, view: _View) -> None:
        while True:
            drawn = self._now()
            content = await self._draw(host)
            if content != view.content:
                view.tell(content)
            await self._changed(drawn)

    async def _changed(self, drawn: object) -> None:
        """Returns when the table in force is another than what was drawn, or after a turn."""
        with suppress(TimeoutError):
            async with asyncio.timeout(TURN):
                await asyncio.sleep(GLANCE)
                while self._now() is drawn:  # noqa: ASYNC110 # the table is swapped by one assignment, which nobody tells of
                    await asyncio.sleep(GLANCE)


class _View:
    """The newest content for one Host, and how many look at it."""

    task: asyncio.Task[None]

    def __init__(self) -> None:
        self.content = ""
        self.number = 0
        self.looking = 0
        self.news = asyncio.Event()

    def tell(self, content: str) -> None:
        self.content = content
        self.number += 1
        self.news.set()
        self.news = asyncio.Event()

    async def newer(self, bound: float) -> bool:
        """Waits for the next content; False after `bound` seconds without."""
        with suppress(TimeoutError):
            async with asyncio.timeout(bound):
                await self.news.wait()
                return True
        return False


def _event(content: str) -> bytes:
    """One server-sent event; HTML means the same with its line ends as spaces."""
    return f"data: {' '.join(content.splitlines())}\n\n".encode() if content else b": still here\n\n"
