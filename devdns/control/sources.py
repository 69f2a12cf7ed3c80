"""The providers at work: one task each, what they said last, and how they are.

A statement goes into the store and its change to `publish`; trouble leaves the last statement in force. A provider that
raises or ends is a bug of ours or of its library: it is logged once, the source marked degraded, and started again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from typing import Literal, Protocol

import structlog
from msgspec import Struct

from devdns.control.last_words import LastWords
from devdns.control.recall import Recall
from devdns.core.routes import Change, Route, RouteTable
from devdns.core.sources import Provider, Refusal, Statement, Trouble
from devdns.core.store import RouteStore

Health = Literal["ok", "degraded", "starting", "off"]
LONGEST_PAUSE = 30.0
AGAIN = "see devdns logs; it is tried again by itself"
BROKEN = 5  # pauses
NOTHING: Mapping[str, str] = {}

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


class Note(Protocol):
    """Hears of each change, with the table before it and what caused it, by owner or else all of it."""

    def __call__(self, before: RouteTable, change: Change, causes: Mapping[str, str], cause: str) -> None: ...


def _unnoted(before: RouteTable, change: Change, causes: Mapping[str, str], cause: str) -> None:
    """Nobody wants to hear of it."""


class Sources:
    """All sources by name. `pause` is the first wait in seconds before a broken provider is started again; it doubles.

    `screen` may turn routes of a statement into refusals, `over` what is left into what the probes make of it; `note` hears of
    each change. `recall` holds the routes of before a crash of control that a source does not say again.
    """

    def __init__(self, store: RouteStore, publish: Callable[[Change], None], pause: float = 0.2) -> None:
        self._store = store
        self._last: LastWords | None = None
        self.recall = Recall()
        self._said: dict[str, tuple[Route, ...]] = {}
        self._publish = publish
        self._pause = pause
        self._all: dict[str, Source] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._news = asyncio.Event()
        self.screen: Callable[[Statement], Statement] = lambda word: word
        self.over: Callable[[str, tuple[Route, ...]], tuple[Route, ...]] = lambda _, routes: routes
        self.note: Note = _unnoted

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
        self._remind(name)
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

    def _remind(self, name: str) -> None:
        """After a crash of control: what the source said before it, until it speaks; then what it does not say again is held."""
        routes = self._last.recall(name) if self._last else ()
        if not routes:
            return
        log.info("recalled", source=name, routes=len(routes))
        loop = asyncio.get_running_loop()
        for moment in self.recall.take(name, routes, loop.time()):
            loop.call_at(moment, self.restate, name, "its hold is over")
        self._state(name, routes, cause="control was started again")

    def restate(self, name: str, cause: str) -> None:
        """Judges anew what a source said last: a probe, or the time, says otherwise now."""
        if name in self._said:
            self._state(name, self._said[name], cause=cause)

    def off(self, name: str, reason: str) -> None:
        """Lists a source that is switched off, and why."""
        self._all[name] = Source(name, "off", reason)

    async def forget(self, name: str) -> None:
        """Stops a source and takes back everything it said."""
        task = self._tasks.pop(name)
        await _ended([task])
        del self._all[name]
        self._said.pop(name, None)
        self.recall.forget(name)
        self.over(name, ())
        before = self._store.table
        self._tell(before, self._store.forget(name), NOTHING, "the file was detached")
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
            self.recall.spoke(name)
            self._state(name, word.routes, word.causes)
            source.refusals = word.refusals
            self._turn(source, "off" if word.absent else "ok", word.absent)
        else:
            if word.routes is not None:
                self._state(name, word.routes, cause=word.reason)
            self._turn(source, "degraded", word.reason, word.hint)
        source.said += 1
        self._news.set()
        self._news = asyncio.Event()

    def _state(self, name: str, said: tuple[Route, ...], causes: Mapping[str, str] = NOTHING, cause: str = "") -> None:
        """What a source says, with what is recalled of it, as the probes see it: into the store and out as a change."""
        routes = self.recall.whole(name, said, asyncio.get_running_loop().time())
        self._settle(name, self.over(name, routes), causes, cause)
        self._said[name] = said
        if self._last is not None:
            self._last.keep(name, routes, self._store.arrivals(name))
        self._all[name].routes = len(self._store.stated(name))

    def _settle(
        self, name: str, routes: tuple[Route, ...], causes: Mapping[str, str] = NOTHING, cause: str = ""
    ) -> None:
        before = self._store.table
        self._tell(before, self._store.replace(name, routes), causes, cause)

    def _tell(self, before: RouteTable, change: Change, causes: Mapping[str, str], cause: str) -> None:
        if change:
            self._publish(change)
            self.note(before, change, causes, cause)

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
