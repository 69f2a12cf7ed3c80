"""The faults in force: asked for by name, told to the proxies, gone by themselves. Kept in memory only."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import structlog

from devdns.core.chaos import Chaos, Faults

MOST = 100

log = structlog.get_logger()


class FaultBoard:
    """Faults by the name of their route. `tell` hears of all of them after each change."""

    def __init__(self, tell: Callable[[Faults], None]) -> None:
        self._tell = tell
        self._rows: dict[str, Chaos] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}

    def rows(self) -> tuple[tuple[str, Chaos], ...]:
        """What is in force, by name."""
        return tuple(sorted(self._rows.items()))

    def of(self, name: str) -> str:
        """The faults of a route in words, empty where it has none."""
        return str(self._rows[name]) if name in self._rows else ""

    @property
    def full(self) -> bool:
        return len(self._rows) >= MOST

    def put(self, name: str, chaos: Chaos) -> None:
        """From now until its end `chaos` counts for the route `name`, in place of what did before."""
        self._forget(name)
        self._rows[name] = chaos
        left = max(0.0, chaos.until - time.time())
        self._timers[name] = asyncio.get_running_loop().call_later(left, self.remove, name)
        log.warning("faults begin", name=name, faults=str(chaos), seconds=round(left))
        self._tell(Faults(self.rows()))

    def remove(self, name: str) -> bool:
        """Ends the faults of `name`; False when there are none."""
        if name not in self._rows:
            return False
        self._forget(name)
        log.info("faults end", name=name)
        self._tell(Faults(self.rows()))
        return True

    def close(self) -> None:
        for timer in self._timers.values():
            timer.cancel()

    def _forget(self, name: str) -> None:
        self._rows.pop(name, None)
        timer = self._timers.pop(name, None)
        if timer is not None:
            timer.cancel()
