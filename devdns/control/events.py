"""The event stream: what each SSE client is still to be told, bounded. Bytes in, bytes out; the responses are elsewhere.

A client that falls behind is not dropped: its changes are, and it is told the whole table again.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

MOST_WAITING = 256
MOST_CLIENTS = 128


class Subscription:
    """What one client has not been told yet. `behind` is true when it needs the whole table first."""

    def __init__(self) -> None:
        self.behind = True
        self.closed = False
        self._waiting: deque[bytes] = deque()
        self._news = asyncio.Event()

    def offer(self, event: bytes | None) -> None:
        """Adds an event; None, or one too many, means: tell the table again."""
        if event is None or len(self._waiting) >= MOST_WAITING:
            self.behind = True
            self._waiting.clear()
        elif not self.behind:
            self._waiting.append(event)
        self._news.set()

    def close(self) -> None:
        """Nothing more will come."""
        self.closed = True
        self._news.set()

    def caught_up(self) -> None:
        """The table of this very moment is on its way; changes from here on are kept."""
        self.behind = False
        self._waiting.clear()

    async def ready(self, bound: float) -> bool:
        """Waits for something to tell; False after `bound` seconds without."""
        if not (self.behind or self.closed or self._waiting):
            self._news.clear()
            try:
                async with asyncio.timeout(bound):
                    await self._news.wait()
            except TimeoutError:
                return False
        return True

    def take(self) -> bytes:
        """Everything that waits, in order."""
        events = b"".join(self._waiting)
        self._waiting.clear()
        return events


class Events:
    """All subscriptions."""

    def __init__(self) -> None:
        self._all: set[Subscription] = set()

    def __len__(self) -> int:
        return len(self._all)

    @contextmanager
    def subscription(self) -> Iterator[Subscription]:
        subscription = Subscription()
        self._all.add(subscription)
        try:
            yield subscription
        finally:
            self._all.discard(subscription)

    def publish(self, event: bytes | None) -> None:
        """Tells all clients of an event, or that the table is to be told again."""
        for subscription in self._all:
            subscription.offer(event)

    def close(self) -> None:
        """Ends all streams."""
        for subscription in self._all:
            subscription.close()


def event(kind: str, data: bytes) -> bytes:
    """One server-sent event; `data` is one line."""
    return b"event: %s\ndata: %s\n\n" % (kind.encode(), data)
