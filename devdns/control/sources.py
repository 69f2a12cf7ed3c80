"""The providers at work: one task each, what they said last, and how they are.

A statement goes into the store and its change to `publish`; trouble leaves the last statement in force. A provider that
raises or ends is a bug of ours or of its library: it is logged once, the source marked degraded, and started again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import partial
from typing import Literal

import structlog
from msgspec import Struct

from devdns.control.last_words import LastWords
from devdns.core.routes import Change, Route
from devdns.core.sources import Provider, Refusal, Statement, Trouble
from devdns.core.store import RouteStore

Health = Literal["ok", "degraded", "starting", "off"]
LONGEST_PAUSE = 30.0
#: Sources whose first statements are not the whole: services answer one after the other.
GRADUAL = frozenset({"mdns"})
SETTLED = 3.0  # seconds; RFC 6762 section 6 lets a service wait half a second, and a lost packet is asked for again
AGAIN = "see devdns logs; it is tried again by itself"
BROKEN = 5  # pauses

log = structlog.get_logger()


class Source(Struct):
    """How one source is now, and how many routes it states. `said` counts statements and troubles, so that a waiter can tell a new one."""

    source: str
    state: Health = "starting"
    reason: str = ""
    hint: str = ""
    routes: int = 0
    refusals: tuple[Refusal, ...] = ()
    said: int = 0


class _Recalled(Struct):
    """What a gradual source said before control was started again, and its newest statement since."""

    routes: tuple[Route, ...]
    word: Statement | None = None


class Sources:
    """All sources by name. `pause` is the first wait in seconds before a broken provider is started again; it doubles.

    `screen` may turn routes of a statement into refusals.
    """

    def __init__(self, store: RouteStore, publish: Callable[[Change], None], pause: float = 0.2) -> None:
        self._store = store
        self._last: LastWords | None = None
        self._recalled: dict[str, _Recalled] = {}
        self._publish = publish
        self._pause = pause
        self._all: dict[str, Source] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._news = asyncio.Event()
        self.screen: Callable[[Statement], Statement] = lambda word: word

    def remember(self, last: LastWords) -> None:
        """From now on every statement is kept, and a source starts with what it said before a crash of control."""
        self._last = last
        self._store.remember(last.arrivals())

    def start(self, provider: Provider) -> None:
        """Watches `provider` from now on; raises ValueError when its source is watched already."""
        name = provider.source
        if name in self._tasks:
            raise ValueError(f"source {name!r} is watched already")
        self._all[name] = Source(name)
        self._recall(name)
        self._begin(name, provider)

    def _begin(self, name: str, provider: Provider, after: float = 0.0) -> None:
        task = asyncio.create_task(self._watch(name, provider, after), name=f"source {name}")
        task.add_done_callback(partial(self._mourn, name, provider))
        self._tasks[name] = task

    def _mourn(self, name: str, provider: Provider, task: asyncio.Task[None]) -> None:
        """A watch that ended against all expectation is never left at that: said, and begun again."""
        if task.cancelled() or self._tasks.get(name) is not task:
            return
        error = task.exception()
        source = self._all[name]
        source.state, source.reason, source.hint = "degraded", f"its watch broke: {error!r}", AGAIN
        source.said += 1
        self._news.set()
        self._news = asyncio.Event()
        self._begin(name, provider, self._pause * BROKEN)
        log.error("source broke", source=name, error=repr(error))

    def _recall(self, name: str) -> None:
        """After a crash of control: what the source said before it, until it speaks (mDNS: until it has settled)."""
        routes = self._last.recall(name) if self._last else ()
        if not routes:
            return
        log.info("recalled", source=name, routes=len(routes))
        self._settle(self._store.replace(name, routes))
        if name in GRADUAL:
            self._recalled[name] = _Recalled(routes)
            asyncio.get_running_loop().call_later(SETTLED, self._settled, name)

    def _settled(self, name: str) -> None:
        """A gradual source had its time: what it did not say again is gone."""
        word = self._recalled.pop(name).word
        if word is not None and name in self._all:
            self.hear(name, word)

    def _with_recalled(self, name: str, word: Statement) -> tuple[Route, ...]:
        """The routes of a statement, and of a gradual source also those that it may yet say again."""
        recalled = self._recalled.get(name)
        if recalled is None:
            return word.routes
        recalled.word = word
        said = {(route.claim, route.owner) for route in word.routes}
        return word.routes + tuple(route for route in recalled.routes if (route.claim, route.owner) not in said)

    def off(self, name: str, reason: str) -> None:
        """Lists a source that is switched off, and why."""
        self._all[name] = Source(name, "off", reason)

    async def forget(self, name: str) -> None:
        """Stops a source and takes back everything it said."""
        task = self._tasks.pop(name)
        await _ended([task])
        del self._all[name]
        self._settle(self._store.forget(name))
        if self._last is not None:
            self._last.keep(name, ())

    async def close(self) -> None:
        """Stops every provider; what they said stays in the table."""
        await _ended(self._tasks.values())
        self._tasks.clear()

    def __iter__(self) -> Iterator[Source]:
        return iter(list(self._all.values()))

    def __contains__(self, name: object) -> bool:
        return name in self._all

    def __getitem__(self, name: str) -> Source:
        return self._all[name]

    async def spoken(self, name: str, beyond: int = 0, bound: float = 2.0) -> bool:
        """Waits until `name` has said more than `beyond` things; False when that takes over `bound` seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(bound):
                while name in self._all and self._all[name].said <= beyond:
                    await self._news.wait()
        return name in self._all and self._all[name].said > beyond

    def hear(self, name: str, word: Statement | Trouble) -> None:
        """Takes what a source says: into the store and out as a change, or down as its trouble."""
        source = self._all[name]
        if isinstance(word, Statement):
            word = self.screen(word)
            routes = self._with_recalled(name, word)
            change = self._store.replace(name, routes)
            if self._last is not None:
                self._last.keep(name, routes, self._store.arrivals(name))
            source.routes, source.refusals = len(self._store.stated(name)), word.refusals
            self._turn(source, "off" if word.absent else "ok", word.absent)
            self._settle(change)
        else:
            self._turn(source, "degraded", word.reason, word.hint)
        source.said += 1
        self._news.set()
        self._news = asyncio.Event()

    def _settle(self, change: Change) -> None:
        if change:
            self._publish(change)

    def _turn(self, source: Source, state: Health, reason: str = "", hint: str = "") -> None:
        """A change of state is one line of the log, a repeated one is none."""
        if (state, reason) != (source.state, source.reason):
            tell = log.warning if state == "degraded" else log.info
            tell("source", source=source.source, state=state, reason=reason, hint=hint)
        source.state, source.reason, source.hint = state, reason, hint

    async def _watch(self, name: str, provider: Provider, after: float) -> None:
        await asyncio.sleep(after)
        pause = self._pause
        while True:
            before = self._all[name].said
            reason = await self._listen(name, provider)
            pause = self._pause if self._all[name].said > before else min(pause * 2, LONGEST_PAUSE)
            self.hear(name, Trouble(reason, AGAIN))
            await asyncio.sleep(pause)

    async def _listen(self, name: str, provider: Provider) -> str:
        """Hears the provider out; returns why it stopped."""
        try:
            async for word in provider.watch():
                self.hear(name, word)
        except Exception as error:  # the one catch-all of a provider's loop
            reason = f"its watch failed: {type(error).__name__}: {error}"
            if reason != self._all[name].reason:
                log.exception("source failed", source=name)
            return reason
        return "its watch ended"


async def _ended(tasks: Iterable[asyncio.Task[None]]) -> None:
    every = list(tasks)
    for task in every:
        task.cancel()
    await asyncio.gather(*every, return_exceptions=True)
