"""What happens to requests while the stack changes: restart, recreate, port-change, scale, crash, daemon-restart.

A constant stream of requests by name at 100 a second, half of them POST, half on kept connections; the change; a hand where the
approach needs one, which comes `WATCH` seconds later (the report adds the operator's real reaction time); and on until all is well.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable
from typing import ClassVar

from devdns_bench.approaches.base import Mend
from devdns_bench.probe import Probe
from devdns_bench.scenarios.base import Cell, Figure, Result, Scenario
from devdns_bench.scenarios.scene import Scene
from devdns_bench.stack import Service, downtime, services

RATE = 100.0
LEAD = 1.0
WATCH = 1.0  # seconds before the hand
CALM = 0.7  # seconds without failure that end a run
BOUND = 20.0  # seconds after the change that end it anyway
BOOT = 0.5  # seconds the service takes to start, as a small framework does
RESTARTS = "--restart=always"

FIGURES = (
    Figure("failed", "requests that failed", "requests", lost=True),
    Figure("misrouted", "requests answered by the wrong service", "requests"),
    Figure("outage", "longest stretch of failures", "s", waits=True),
    Figure("recovery", "time until all goes well", "s", waits=True, cut=BOUND),
    Figure("slowest", "slowest answer", "s"),
    Figure("p99", "99th percentile of answers", "s"),
    Figure("downtime", "the service's own downtime", "s", better="given"),
)


class Changed(Scenario):
    """One change of one service, with a neighbour beside it."""

    figures: ClassVar[tuple[Figure, ...]] = FIGURES
    rate: ClassVar[float] = RATE
    takes: ClassVar[float] = 7.0

    async def run(self, scene: Scene, cell: Cell) -> Result:  # noqa: ARG002 - one cell
        every = services(2, boot=BOOT)
        await asyncio.to_thread(scene.approach.prepare, every)
        for service in every:
            await asyncio.to_thread(scene.stack.up, service, "", RESTARTS)
        await scene.settle(every)
        return await self._watched(scene, every[0])

    async def _watched(self, scene: Scene, service: Service) -> Result:
        before = service.identity
        async with scene.probing(service, RATE) as probe:
            await asyncio.sleep(LEAD)
            changed = time.monotonic()
            work = asyncio.create_task(asyncio.to_thread(self.change, scene, service, probe.expected.add))
            await work
            hand, failing = await _mended(scene, service, probe, self.mend(scene, service))
            await _calm(probe, changed)
        seen, scene.requests = probe.summary(changed=changed), [*probe.rows]
        failed = {outcome: float(count) for outcome, count in seen.failed.items()}
        figures: dict[str, float | None] = {
            "failed": float(sum(failed.values())),
            "misrouted": failed.get("misrouted", 0.0),
            "outage": seen.outage,
            "recovery": seen.recovery,
            "slowest": seen.slowest,
            "p99": seen.p99,
            "downtime": downtime(before),
            **{outcome: count for outcome, count in failed.items() if outcome != "misrouted"},
            "sent": float(seen.sent),
            "watch": WATCH if hand else 0.0,
        }
        return Result(figures, hand, failing, [*scene.site.user.steps], notes=_examples(probe))

    def change(self, scene: Scene, service: Service, expect: Callable[[str], None]) -> None:
        """What the owner does; `expect` is told of identities that may answer from now on."""
        raise NotImplementedError

    def mend(self, scene: Scene, service: Service) -> Mend | None:  # noqa: ARG002 - most changes leave the address as it was
        """What a hand must do then."""
        return None


class Restart(Changed):
    """`docker restart`."""

    name: ClassVar[str] = "restart"
    title: ClassVar[str] = "Restart of a container"
    question: ClassVar[str] = (
        "A container is restarted; its app is gone at SIGTERM and takes half a second to come back."
    )

    def change(self, scene: Scene, service: Service, expect: Callable[[str], None]) -> None:  # noqa: ARG002 - the same incarnation's name
        scene.stack.docker("restart", "--time", "2", service.name)


class Recreate(Changed):
    """Removed and run again, while another container takes its old address."""

    name: ClassVar[str] = "recreate"
    title: ClassVar[str] = "A container made anew, with a new address"
    question: ClassVar[str] = "A container is removed and run again; meanwhile another container has got its address."

    def change(self, scene: Scene, service: Service, expect: Callable[[str], None]) -> None:
        scene.stack.docker("rm", "--force", service.name)
        scene.stack.docker(*_decoy(service.inner))
        scene.stack.renew(service)
        expect(service.identity)
        scene.stack.up(service, "", RESTARTS)


class PortChange(Changed):
    """On another port, while the old one goes to another service."""

    name: ClassVar[str] = "port-change"
    title: ClassVar[str] = "A service moves to another port"
    question: ClassVar[str] = (
        "A service comes back on another port, and its old port and address belong to another service now."
    )

    def change(self, scene: Scene, service: Service, expect: Callable[[str], None]) -> None:
        scene.stack.docker("rm", "--force", service.name)
        scene.stack.docker(*_decoy(service.inner, f"--publish=127.0.0.1:{service.port}:{service.inner}"))
        scene.stack.renew(service)
        expect(service.identity)
        service.port += 100
        service.inner += 100
        scene.stack.up(service, "", RESTARTS)

    def mend(self, scene: Scene, service: Service) -> Mend | None:
        return scene.approach.moved(service)


class Crash(Changed):
    """SIGKILL of the app; Docker's restart policy brings it back."""

    name: ClassVar[str] = "crash"
    title: ClassVar[str] = "Crash of the app"
    question: ClassVar[str] = "The app is killed, and its restart policy brings it back."

    def change(self, scene: Scene, service: Service, expect: Callable[[str], None]) -> None:  # noqa: ARG002 - the same name
        pid = int(scene.stack.docker("inspect", "--format", "{{.State.Pid}}", service.name))
        os.kill(pid, signal.SIGKILL)


class DaemonRestart(Changed):
    """The whole Docker Engine."""

    name: ClassVar[str] = "daemon-restart"
    title: ClassVar[str] = "Restart of the Docker Engine"
    question: ClassVar[str] = "dockerd is stopped and started again; its restart policy brings the containers back."

    def change(self, scene: Scene, service: Service, expect: Callable[[str], None]) -> None:  # noqa: ARG002 - the same name
        scene.engine.stop()
        scene.engine.start()


class Scale(Changed):
    """From one replica to two and back."""

    name: ClassVar[str] = "scale"
    title: ClassVar[str] = "Scaling to two replicas and back"
    question: ClassVar[str] = (
        "A second replica is started, and stopped two seconds later; where it was put into a configuration by hand, it is taken out "
        "before it is stopped."
    )
    figures: ClassVar[tuple[Figure, ...]] = (
        *FIGURES[:-1],
        Figure("share", "requests that the second replica answered while it ran", "share", better="higher"),
    )
    HOLD: ClassVar[float] = 2.0

    async def _watched(self, scene: Scene, service: Service) -> Result:
        second = Service(service.name, service.port + 50, f"{service.name}-101", service.inner, boot=0.0)
        async with scene.probing(service, RATE) as probe:
            await asyncio.sleep(LEAD)
            probe.expected.add(second.identity)
            changed = time.monotonic()
            await asyncio.to_thread(scene.stack.up, second, "second")
            mend = scene.approach.scaled(service, second)
            hand, failing = await _mended(scene, service, probe, mend)
            began = time.monotonic() - probe.began
            await asyncio.sleep(self.HOLD)
            ended = time.monotonic() - probe.began
            if mend is not None and (back := scene.approach.moved(service)):
                await asyncio.to_thread(back.act)  # planned, so the hand comes first
            await asyncio.to_thread(scene.stack.docker, "stop", "--time", "2", "second")
            await _calm(probe, time.monotonic())
        held = [row.backend == second.identity for row in probe.rows if began <= row.due < ended]
        seen, scene.requests = probe.summary(changed=changed), [*probe.rows]
        figures: dict[str, float | None] = {
            "failed": float(sum(seen.failed.values())),
            "misrouted": float(seen.counts.get("misrouted", 0)),
            "outage": seen.outage,
            "recovery": seen.recovery,
            "slowest": seen.slowest,
            "p99": seen.p99,
            "share": sum(held) / max(1, len(held)),
            "sent": float(seen.sent),
            "watch": WATCH if hand else 0.0,
        }
        return Result(figures, hand, failing, [*scene.site.user.steps], notes=_examples(probe))


async def _mended(scene: Scene, service: Service, probe: Probe, mend: Mend | None) -> tuple[str, bool]:
    """The hand, if one is needed: what it did, and whether requests failed while it was waited for."""
    if mend is None:
        return "", False
    await asyncio.sleep(WATCH)
    last = sorted(probe.rows, key=lambda row: row.due)[-10:]
    await asyncio.to_thread(mend.act)
    probe.place = await scene.place(service)
    return mend.what, any(row.outcome != "ok" for row in last)


async def _calm(probe: Probe, changed: float) -> None:
    """Until the last `CALM` seconds went well, at most `BOUND` seconds after the change."""
    while time.monotonic() < changed + BOUND:
        since = time.monotonic() - probe.began - CALM
        recent = [row.outcome == "ok" for row in probe.rows if row.ended > since]
        oldest = min((row.due for row in probe.rows if row.ended > since), default=0.0)
        if len(recent) >= CALM * RATE / 2 and all(recent) and oldest > changed - probe.began:
            return
        await asyncio.sleep(0.05)


def _decoy(inner: int, *flags: str) -> list[str]:
    from devdns_bench.room_engine import IMAGE, backend, mounts  # noqa: PLC0415 - the words of one command

    return ["run", "--detach", "--name", "decoy", *flags, *mounts(), IMAGE, *backend("decoy-1", inner)]


def _examples(probe: Probe) -> list[str]:
    """One failure of each kind, in words."""
    seen = {
        row.outcome: f"{row.outcome}: {row.method} {row.way} {row.status} {row.backend} {row.detail}"
        for row in probe.rows
    }
    return sorted(" ".join(text.split()) for outcome, text in seen.items() if outcome != "ok")
