"""Changes of a running stack under a constant load: each turn of a scene is one probe around one change, judged by its rows.

What may fail: a request that nobody may send twice, or a response already begun, in flight when a backend went down.
What it may cost: the backends' own downtime, and a little more.
"""

import asyncio
import functools
import os
import secrets
import ssl
import subprocess
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from docker.models.containers import Container

from devdns.core.holding import HOLD
from devdns_bench.probe import Probe
from devdns_bench.probe_rows import Row, quantile
from devdns_bench.probe_wire import Place
from support import apps, relays
from support.engine import Engine
from support.stack import Stack
from support.waiting import until

RATE = 100
LEAD, TAIL = 30, 60  # requests that must go well before the change, and after it
BOUND = 25.0  # seconds until a turn must be over
PATIENCE = 20.0  # above the time for which requests are held
IN_FLIGHT = {"post_written_lost", "truncated"}
DYING = 0.01  # seconds for which a request may be on its way to a process that is gone
NEAR = 1.0  # seconds of the hold that devdns keeps: to hear that a backend is up, and to let go of who waits
#: What becomes of a request once the hold is over: it is told a reason, if anybody still waits for that.
OVER = {"http_4xx", "http_5xx", "timeout"}
#: Seconds by which a prober may be late: one that comes later goes before the hold is over, or connects and then says nothing for so
#: long that the connection is closed.
LATE = 4.0
UNHEARD = {"timeout", "reset", "post_written_lost"}
MOST_VOID = 5  # turns of a scene
STOP = 10  # seconds to end by itself, as Docker has it; Podman 4 gives none unless asked


Change = Callable[[], object]


@dataclass
class Turn:
    """One probe around one change, and the times (monotonic) when no backend served."""

    probe: Probe
    slack: float = 0.0  # seconds of downtime that no backend knows of: a health check's interval
    changed: float = 0.0
    down: list[tuple[float, float]] = field(default_factory=list)
    deaths: list[tuple[float, float]] = field(default_factory=list)  # from the word to stop until the process was gone

    def excuse(self, row: Row) -> bool:
        """It was with a backend when that went down, and its response had begun or it may not be sent again.

        A proxy's word for the latter is 502, or 504 where nobody is left to say that the connection is gone.
        """
        sent, ended = self.probe.began + row.sent, self.probe.began + row.ended
        lost = row.outcome in IN_FLIGHT or (row.method == "POST" and row.status in {502, 504})
        return lost and any(sent < gone and told < ended for told, gone in self.deaths)

    def void(self) -> set[str]:
        """The outcomes that show nothing, on a machine that has other things to do: none, unless the backends were away for longer than
        requests are held, or the prober came too late.
        """
        outlasted = any(back + self.slack - gone > HOLD - NEAR for gone, back in self.down)
        late = any(row.sent - row.due > LATE for row in self.probe.rows)
        return (OVER if outlasted else set[str]()) | (UNHEARD if late else set[str]())

    def failures(self) -> list[Row]:
        void = self.void()
        return [
            row for row in self.probe.rows if row.outcome != "ok" and not self.excuse(row) and row.outcome not in void
        ]

    def tolls(self) -> list[tuple[int, int]]:
        """For each time that a backend went down: the requests excused by it, and the most that were in flight at one moment of it."""
        rows = [
            (self.probe.began + row.sent, self.probe.began + row.ended, self.excuse(row)) for row in self.probe.rows
        ]
        found = []
        for told, gone in self.deaths:
            flying = [(sent, ended, lost) for sent, ended, lost in rows if sent < gone and told < ended]
            most = max((sum(sent <= at <= ended + DYING for sent, ended, _ in flying) for at, *_ in flying), default=0)
            found.append((sum(lost for *_, lost in flying), most))
        return found

    async def more(self, count: int) -> None:
        """Waits until so many more requests were sent."""
        enough = self.probe.sent + count
        await until(lambda: self.probe.sent >= enough)

    def excess(self, row: Row) -> float:
        """Seconds that an answer took beyond the downtime it had to wait for."""
        due, ended = self.probe.began + row.due, self.probe.began + row.ended
        awaited = [back + self.slack for gone, back in self.down if due < back + self.slack and ended > gone]
        return ended - max([due, *(min(back, ended) for back in awaited)])


class RoutesFile:
    """The routes that scenes have in the stack's file. Written in place and by a new file in turn, as editors do both."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._routes: dict[str, str] = {}
        self._written = 0

    def write(self, **routes: str) -> None:
        self._routes |= routes
        text = "routes:\n" + "".join(f"  {name}: {target}\n" for name, target in self._routes.items())
        self._written += 1
        if self._written % 2:
            self._path.write_text(text)
        else:
            beside = self._path.with_suffix(".new")
            beside.write_text(text)
            beside.replace(self._path)


@dataclass
class Surroundings:
    """What scenes share. `stamps` is a folder; `published`: containers' own addresses are out of devdns's reach; `secure`: asked by HTTPS."""

    engine: Engine | None
    stack: Stack
    stamps: Path
    published: bool = False
    secure: bool = False
    processes: list[subprocess.Popen] = field(default_factory=list)  # those on this machine

    def __post_init__(self) -> None:
        self.stamps.mkdir()
        self.routes = RoutesFile(self.stack.config)

    def place(self, name: str) -> Place:
        """Where clients ask for it."""
        host, role = f"{name}.dev.test", "https" if self.secure else "http"
        settings = ssl.create_default_context(cafile=self.stack.state / "ca.pem") if self.secure else None
        return Place(*self.stack.facts["listeners"][role][0], host, settings)


class Scene:
    """One name under one kind of change. `start` and the routes file make the changes; `turns` runs the probes."""

    def __init__(self, around: Surroundings, name: str, repeats: int) -> None:
        self.engine, self.stack, self.routes, self.published = (
            around.engine,
            around.stack,
            around.routes,
            around.published,
        )
        self.name, self.repeats, self.stamps = name, repeats, around.stamps / name
        self._around = around
        self.known: set[str] = set()  # the identities that may answer
        self.done: list[Turn] = []
        self.void = set[int]()  # the turns that are made again
        self._attended: set[int] = set()  # process ids
        self._ending: set[asyncio.Task[None]] = set()

    def beside(self, name: str) -> "Scene":
        """Another one, of another name, in the same surroundings, whose turns are made together with this one's."""
        other = Scene(self._around, f"{self.name}-{name}", self.repeats)
        other.void = self.void
        return other

    async def start(
        self, port: int = 8000, *, beside: str = "", labels: dict[str, str] | None = None, **options
    ) -> Container:
        """A backend with the scene's name for a route, up by its own account. It may answer from now on.

        The container has the scene's name too, with `beside` behind it where there is more than one.
        """
        word, name = secrets.token_hex(6), self.name + beside
        self.known.add(word)
        labels = {"dev.route": self.name, **(labels or {})}
        return await self.back(apps.start, self.engine, self.stamps, name, word, labels, port, **options)

    async def stranger(self, port: int = 8000) -> Container:
        """A container that nobody may be sent to."""
        word, stamps = secrets.token_hex(6), self.stamps.with_suffix(".strangers")
        return await self.call(apps.start, self.engine, stamps, f"dvt-{word}", word, {"dev.enable": "false"}, port)

    async def spawn(self, port: int, *flags: str) -> subprocess.Popen:
        """A backend on this machine, up by its own account. It may answer from now on."""
        word = secrets.token_hex(6)
        self.known.add(word)
        made = await self.back(apps.spawn, self.stamps, word, port, *flags)
        self._around.processes.append(made)
        return made

    async def remove(self, container: Container) -> None:
        """`docker stop` and `docker rm`."""
        await self.call(container.stop, timeout=STOP)
        await self.call(container.remove)

    async def back(self, change, *args, **options):
        """Makes the change and waits until a backend has come up by it."""
        before = self.ups()
        made = await self.call(change, *args, **options)
        await until(lambda: self.ups() > before, BOUND)
        await self._attend()
        return made

    async def _attend(self) -> None:
        """Notes the end of each backend's process as the kernel tells it, so that what was in flight then is known.

        A look at every process may wait for one that has no turn: in a thread, so that no prober does.
        """
        for pid, word in await self.call(lambda: list(apps.running(self.known))):
            if pid not in self._attended:
                self._attended.add(pid)
                relayed = relays.own_address(pid) if self.published else None
                with suppress(OSError):
                    ends = os.pidfd_open(pid)
                    asyncio.get_running_loop().add_reader(ends, self._gone, ends, word, relayed)

    def _gone(self, ends: int, word: str, relayed: str | None) -> None:
        asyncio.get_running_loop().remove_reader(ends)
        os.close(ends)
        told = asyncio.create_task(self._told(word, relayed))
        self._ending.add(told)
        told.add_done_callback(self._ending.discard)

    async def _told(self, word: str, relayed: str | None) -> None:
        """A published port's relay passes on the end of the process in its own time, and takes requests for it until then."""
        if relayed is not None:
            left = relays.connected(relayed)
            await until(lambda: not left.intersection(relays.connected(relayed)))
        with suppress(FileNotFoundError):  # all is over, and cleaned up
            apps.stamp(self.stamps, "gone", word)

    async def leads_to(self, place: str) -> None:
        """Waits until devdns says that the scene's route leads there."""
        async with asyncio.timeout(BOUND):
            own = f"devdns.dev.test:{self.stack.http[1]}"
            while place not in (await self.call(self.stack.get, own, "/api/v1/routes"))[1].decode():
                pass

    @asynccontextmanager
    async def out(self, container: Container, *, lost: bool = False) -> AsyncIterator[None]:
        """Inside, the container does not serve, and cannot tell so itself. `lost`: what was on its way to it is."""
        apps.note("down", container, self.stamps)
        yield
        if lost:
            apps.note("gone", container, self.stamps)
        apps.note("up", container, self.stamps)

    async def call(self, function, *args, **options):
        """Runs what blocks, such as the docker library, in a thread."""
        return await asyncio.to_thread(functools.partial(function, *args, **options))

    def ups(self) -> int:
        """How often a backend of this scene has come up."""
        return sum(word == "up" for _, word, _ in apps.ups_and_downs(self.stamps))

    async def turns(self, slack: float = 0.0, fresh: Change | None = None) -> AsyncIterator[Turn]:
        """Yields a turn whose probe runs well, `repeats` times; going on means that the change is made. `fresh` is done before each.

        One that shows nothing (`Turn.void`) is made again, in this scene and in those beside it, which know of it before either goes on.
        """
        place = self._around.place(self.name)
        while len(self.done) < self.repeats + min(len(self.void), MOST_VOID):
            if fresh is not None:
                await self.back(fresh)
            await self._serves(place)
            async with Probe(place, (), rate=RATE, patience=PATIENCE) as probe:
                probe.expected = self.known
                turn = Turn(probe, slack)
                await self._well(probe, LEAD)
                turn.changed = time.monotonic()
                yield turn
                turn.down = apps.downtimes(self.stamps, probe.began)
                if turn.void():
                    self.void.add(len(self.done))
                await self._well(probe, TAIL)
            await asyncio.gather(*self._ending)
            turn.down = apps.downtimes(self.stamps, probe.began)
            turn.deaths = apps.deaths(self.stamps, DYING)
            self.done.append(turn)

    async def _serves(self, place: Place) -> None:
        """Waits for one good answer."""
        async with asyncio.timeout(BOUND):
            rows: list[Row] = []
            while not rows or rows[0].outcome != "ok":
                async with Probe(place, self.known, count=1) as probe:
                    await probe.over()
                rows = probe.rows

    async def _well(self, probe: Probe, count: int) -> None:
        """Waits for so many answers to requests due from now on; not for ever, since failures are for the verdict."""
        since, deadline = time.monotonic() - probe.began, time.monotonic() + BOUND
        await until(
            lambda: (
                time.monotonic() > deadline
                or sum(row.due > since and row.outcome == "ok" for row in probe.rows[-4 * count :]) >= count
            ),
            BOUND + 1,
        )

    def excess(self) -> float:
        """p99 over all turns of what answers took beyond the downtime."""
        return quantile(
            sorted(turn.excess(row) for turn in self.done for row in turn.probe.rows if row.outcome == "ok"), 0.99
        )

    def calm(self) -> float:
        """p99 of what answers took before the change: what this machine takes anyway."""
        return quantile(
            sorted(
                row.took for turn in self.done for row in turn.probe.rows if turn.probe.began + row.due < turn.changed
            ),
            0.99,
        )

    def failures(self) -> list[str]:
        """What failed without excuse, in words: one line a turn and kind; and where more was excused than had been in flight."""
        overdrawn = [
            f"{self.name} turn {number}: {lost} requests excused, of {most} in flight"
            for number, turn in enumerate(self.done)
            for lost, most in turn.tolls()
            if lost > most
        ]
        return overdrawn + [
            f"{self.name} turn {number}: {len(rows)} x {kind}, sent {_when(rows[0], turn)} to "
            f"{_when(rows[-1], turn)} from the change, taking {min(row.took for row in rows):.3f} to {max(row.took for row in rows):.3f} s, "
            f"{dict(Counter(f'{row.method} {row.way}' for row in rows))}, {rows[0].backend}{rows[0].detail}"
            for number, turn in enumerate(self.done)
            for kind, rows in _kinds(turn.failures())
        ]

    def report(self) -> str:
        """One line of figures."""
        rows = [row for turn in self.done for row in turn.probe.rows]
        excused = Counter(row.outcome for turn in self.done for row in turn.probe.rows if turn.excuse(row))
        flying = sum(most for turn in self.done for lost, most in turn.tolls() if lost)
        down = [round(1000 * sum(back - gone for gone, back in turn.down)) for turn in self.done]
        slowest = [round(1000 * max((row.took for row in turn.probe.rows), default=0)) for turn in self.done]
        late = quantile(sorted(row.sent - row.due for row in rows), 0.99)
        return (
            f"{self.name:12} x{len(self.done)} ({sum(bool(turn.void()) for turn in self.done)} void): {len(rows)} requests, failed {sum(len(turn.failures()) for turn in self.done)}, excused {dict(excused)} of {flying} in flight, down {down} ms, "
            f"slowest {slowest} ms, above downtime p99 {1000 * self.excess():.0f} ms (before the change {1000 * self.calm():.0f} ms), idle closed "
            f"{sum(turn.probe.idle_closed for turn in self.done)}, prober late {1000 * late:.0f} ms"
        )


def _kinds(rows: list[Row]) -> Iterable[tuple[str, list[Row]]]:
    """Failures of the same kind, in order of their due times."""
    kinds: dict[str, list[Row]] = {}
    for row in sorted(rows, key=lambda row: row.due):
        kinds.setdefault(f"{row.outcome} {row.status or ''}", []).append(row)
    return kinds.items()


def _when(row: Row, turn: Turn) -> str:
    return f"{row.sent + turn.probe.began - turn.changed:+.3f} s"


async def together(*turns: AsyncIterator[Turn]) -> AsyncIterator[list[Turn]]:
    """Turns of several scenes around one change; it ends with the first that ends."""
    while True:
        every = await asyncio.gather(*(anext(each, None) for each in turns))
        if None in every:
            return
        yield every
