"""What became of a container is asked of the engine: each once however many events it made, what is waited for first.

A few at a time, each by itself: while an engine tears down a container's network it answers nothing about it for a while,
and that holds up nobody else. One asker is for what is waited for alone: in a burst of events the others are never free.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from devdns.core.sources import Refusal
from devdns.providers.docker_container import Container
from devdns.providers.docker_engine import THREADS, Engine

Found = Container | Refusal | None


class Inquiry:
    """The containers to be asked of. `put` takes in what was found; what is out of date by then is asked again instead."""

    def __init__(self, engine: Engine, put: Callable[[str, Found], None]) -> None:
        self._engine = engine
        self._put = put
        self._urgent: dict[str, None] = {}  # as ordered sets: first come, first asked
        self._others: dict[str, None] = {}
        self._asked: dict[str, object] = {}
        self._work = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def ask(self, names: Iterable[str], is_urgent: Callable[[str], bool] = lambda _: False) -> None:
        """Something was heard of these."""
        for name in names:
            urgent = name in self._urgent or is_urgent(name)
            self._others.pop(name, None)
            (self._urgent if urgent else self._others).setdefault(name)
        self._work.set()

    async def drain(self) -> None:
        """Asks of all there are, before `start`. Raises `EngineLost`."""

        async def some() -> None:
            while name := _next(self._urgent, self._others):
                await self._inspect(name)

        while self._urgent or self._others:
            await asyncio.gather(*(some() for _ in range(THREADS)))

    def start(self, ended: Callable[[asyncio.Task[None]], None]) -> None:
        """Asks from now on. `ended` hears of a task that ends: by `EngineLost`, or a fault of ours."""
        for number in range(THREADS):
            queues = (self._urgent, self._others) if number else (self._urgent,)
            task = asyncio.create_task(self._run(*queues), name=f"ask of containers {number}")
            task.add_done_callback(ended)
            self._tasks.append(task)

    async def close(self) -> None:
        """Ends the tasks."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _run(self, *queues: dict[str, None]) -> None:
        while True:
            name = _next(*queues)
            if name:
                await self._inspect(name)
            else:
                self._work.clear()
                await self._work.wait()

    async def _inspect(self, name: str) -> None:
        turn = self._asked[name] = object()
        found = await self._engine.inspect(name)
        if self._asked.get(name) is not turn:
            return  # it was asked of again meanwhile
        del self._asked[name]
        if name not in self._urgent and name not in self._others:
            self._put(name, found)


def _next(*queues: dict[str, None]) -> str:
    """The first of the first queue that has one, taken from there; empty when there is none."""
    for waiting in queues:
        for name in waiting:
            del waiting[name]
            return name
    return ""
