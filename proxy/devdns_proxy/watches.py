"""Targets that could not be dialled: each is dialled again by one watch, whoever waits for it, until it takes a connection.

At first it is hoped for: requests wait, and it is dialled often. When that has lasted for `Limits.refused_hold`, or for as long as a
route to it says, its breaker opens: requests are answered at once, and it is dialled now and then. Other targets of its pools come
first all the while.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import structlog

from devdns.core.routes import Route, Target
from devdns_proxy.dialling import DialFailed, dial

if TYPE_CHECKING:
    from devdns_proxy.context import Context
    from devdns_proxy.waiting import Waiting

log = structlog.get_logger()

#: The first pause before a dial, the longest while somebody waits, and the longest at all, in seconds.
FIRST, WAITED, MOST = 0.01, 0.04, 2.0
DOUBLINGS = 10
#: Dials a second for all watches together, and how many there may be.
MOST_DIALS = 500
MOST_WATCHES = 1_000
#: What was refused this long ago may be asked again by a request itself, breaker or not: a service that is back is not denied.
FRESH = 0.05


class Watch:
    """Dials `target` until it takes a connection. `failed` is the last reason why it did not, `open` that nobody is to wait for it.

    `since` is when it first failed, `tried` when it last did; both of the loop's clock. `patience` is how long it is hoped for.
    """

    __slots__ = (
        "_context",
        "_failures",
        "_task",
        "_timer",
        "failed",
        "open",
        "patience",
        "since",
        "target",
        "tried",
        "waiting",
    )

    def __init__(self, context: Context, target: Target, failed: DialFailed) -> None:
        self.target = target
        self.failed = failed
        self.open = False
        self.patience = context.limits.refused_hold
        self.since = self.tried = context.loop.time()
        self.waiting: dict[Waiting, None] = {}
        self._context = context
        self._failures = 0
        self._task: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._arm()

    @property
    def fresh(self) -> bool:
        """True when what is known is as good as another dial; a silent target is known by the watch alone."""
        lasting = MOST + self._context.limits.connect_time if self.failed.timed_out else FRESH
        return self._context.loop.time() - self.tried < lasting

    def join(self, exchange: Waiting) -> None:
        """`exchange` looks again when the target takes a connection, or is given up; somebody who waits makes the pause short."""
        self.waiting[exchange] = None
        timer = self._timer
        if timer is not None and timer.when() - self._context.loop.time() > self._pause():
            self._failures = 0
            self._arm()

    def leave(self, exchange: Waiting) -> None:
        self.waiting.pop(exchange, None)

    def note(self, failed: DialFailed) -> None:
        """A dial has failed, ours or another's. After the time that requests may wait for it, the breaker opens."""
        self.failed, self.tried = failed, self._context.loop.time()
        if not self.open and self.tried - self.since >= self.patience:
            self.give_up()

    def give_up(self) -> None:
        """Opens the breaker: who waits is answered."""
        if self.open:
            return
        self.open = True
        self._context.counters.opened += 1
        log.warning(
            "target is given up until it takes a connection", target=str(self.target), reason=self.failed.reason
        )
        self._context.holding.release(self.waiting)

    def close(self) -> None:
        """Ends the watch; who waits looks again."""
        self._context.counters.mended += self.open
        if self._timer is not None:
            self._timer.cancel()
        if self._task is not None:
            self._task.cancel()
        self._context.holding.release(self.waiting)

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._context.loop.call_later(self._pause(), self._begin)

    def _pause(self) -> float:
        """Seconds until the next dial: growing, spread where nobody waits, and longer where many targets are watched."""
        pause = min(FIRST * 2.0 ** min(self._failures, DOUBLINGS), WAITED if self.waiting else MOST)
        spread = 1.0 if self.waiting else random.uniform(0.5, 1.0)  # noqa: S311 # no secret
        return max(pause * spread, len(self._context.watches) / MOST_DIALS)

    def _begin(self) -> None:
        self._timer = None
        self._task = self._context.loop.create_task(self._dial())

    async def _dial(self) -> None:
        try:
            upstream = await dial(self._context, self.target)
        except DialFailed as failed:
            self._failures += 1
            self.note(failed)
        except Exception:  # the edge of a dial: the watch goes on
            log.exception("dialling failed", target=str(self.target))
            self._failures += 1
        else:
            self._task = None
            self._context.pool.put(upstream)
            self._context.watches.recovered(self.target)
            return
        self._task = None
        self._arm()


class Watches:
    """The targets that are watched, and those that are doubted: they took a connection and a request, and closed without a word.

    Something before a service, as Docker's proxy of a published port, accepts for it also while it is down. So a doubted target
    counts as dialled only when it has kept the connection open for `Limits.proof_time`.
    """

    __slots__ = ("_context", "_doubted", "_watched")

    def __init__(self, context: Context) -> None:
        self._context = context
        self._watched: dict[Target, Watch] = {}
        self._doubted: dict[Target, float] = {}

    def __len__(self) -> int:
        return len(self._watched)

    def __iter__(self) -> Iterator[Watch]:
        return iter(self._watched.values())

    def of(self, target: Target) -> Watch | None:
        return self._watched.get(target)

    def hoped_for(self, route: Route) -> Iterator[Watch]:
        """The watches of its targets that are worth waiting for, from now on for as long as the route says."""
        for target in route.targets:
            watch = self._watched.get(target)
            if watch is not None and not watch.open:
                watch.patience = max(watch.patience, route.options.hold or 0.0)
                yield watch

    def begin(self, target: Target, failed: DialFailed) -> Watch | None:
        """A dial has failed and may succeed later: watches the target; None where as many are waited for as may be watched."""
        watch = self._watched.get(target)
        if watch is None:
            if len(self._watched) >= MOST_WATCHES and not self._make_room():
                self._context.pool.avoid(target)
                return None
            watch = self._watched[target] = Watch(self._context, target, failed)
            self._context.pool.avoid(target, for_good=True)
        watch.note(failed)
        return watch

    def _make_room(self) -> bool:
        """Ends the oldest watch that nobody waits for: who waits would dial at once, and take the place of the next."""
        idle = next((target for target, watch in self._watched.items() if not watch.waiting), None)
        if idle is None:
            return False
        self._end(idle)
        return True

    def give_up(self, target: Target, failed: DialFailed) -> None:
        """It has been silent for so long that nobody is to wait for it."""
        watch = self.begin(target, failed)
        if watch is not None:
            watch.give_up()

    def recovered(self, target: Target) -> None:
        """The target has taken a connection."""
        if target in self._watched:
            if self._watched[target].open:
                log.info("target takes connections again", target=str(target))
            self._end(target)

    def forget(self, targets: Iterable[Target]) -> None:
        """Their routes have changed: what was known of them may hold no longer."""
        for target in targets:
            self._doubted.pop(target, None)
            if target in self._watched:
                self._end(target)

    def _end(self, target: Target) -> None:
        self._context.pool.forgive(target)
        self._watched.pop(target).close()

    def doubt(self, target: Target) -> None:
        """It has closed a new connection without an answer."""
        if len(self._doubted) < MOST_WATCHES:
            self._doubted[target] = self._context.now + self._context.limits.doubt_time

    def trust(self, target: Target) -> None:
        """It has kept a new connection."""
        self._doubted.pop(target, None)

    def doubted(self, target: Target) -> bool:
        return target in self._doubted

    def expire(self) -> None:
        if self._doubted:
            self._doubted = {each: until for each, until in self._doubted.items() if until > self._context.now}

    def close(self) -> None:
        self.forget(list(self._watched))
