"""What probes make of a route: which of its targets are well, and the state that follows. Decisions only.

A target nobody knows anything of yet is starting; one that was well is ill after `FAILURES` in a row, and well again after
one success. One where nothing listens any more is gone first, as its service may be starting anew, and ill when its hold is over.
Routes without `health` are as their source says.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

from msgspec import Struct
from msgspec.structs import replace

from devdns.core.holding import HOLD, down
from devdns.core.routes import Route, State, Target

FAILURES = 3
#: A service that was never well is starting for so many seconds, then unhealthy.
PATIENCE = 15.0
INTERVAL = 10.0
#: Seconds between two probes: while it starts, after the first failure, and at most while it is ill.
FIRST, QUICK, SLOW = 0.02, 0.1, 2.0
#: While it starts, also anew, the pause is this part of the time spent so far.
PART = 100


class Absence(str):
    """Why a probe failed, where that is because nothing listens there."""

    __slots__ = ()


class Asked(Struct, frozen=True):
    """What is probed: `path` as written in `health`, `host` the name the service is asked by, `interval` in seconds while it is well.

    `hold` is how many seconds it may be gone.
    """

    target: Target
    path: str
    host: str
    interval: float = INTERVAL
    hold: float = HOLD


class Verdict(Enum):
    """What is known of a target."""

    UNKNOWN = "unknown"
    WELL = "well"
    GONE = "gone"
    ILL = "ill"


class Pulse(Struct, frozen=True):
    """The verdict so far, how many failures in a row, and why it failed last.

    `since` is when it was first asked, or when it first failed after it was well.
    """

    since: float
    verdict: Verdict = Verdict.UNKNOWN
    failures: int = 0
    reason: str = ""


def felt(pulse: Pulse, failure: str, now: float, hold: float = HOLD) -> Pulse:
    """After one more probe; `failure` is empty for a success, an `Absence` where nothing listens."""
    if not failure:
        return Pulse(now, Verdict.WELL)
    since = now if pulse.verdict is Verdict.WELL and not pulse.failures else pulse.since
    failures, verdict = pulse.failures + 1, pulse.verdict
    if failures >= FAILURES:
        verdict = _fallen(verdict, failure, now - since, hold)
    return Pulse(since, verdict, failures, str(failure))  # frames carry plain text only


def _fallen(verdict: Verdict, failure: str, seconds: float, hold: float) -> Verdict:
    """What failures in a row, for so many seconds, make of a target."""
    if verdict is Verdict.UNKNOWN and seconds < PATIENCE:
        return verdict
    if seconds < hold and (verdict is Verdict.GONE or (verdict is Verdict.WELL and isinstance(failure, Absence))):
        return Verdict.GONE
    return Verdict.ILL


def pause(pulse: Pulse, interval: float, now: float) -> float:
    """Seconds until the next probe."""
    if pulse.verdict in (Verdict.UNKNOWN, Verdict.GONE):
        return min(max(FIRST, (now - pulse.since) / PART), interval)
    if not pulse.failures:
        return interval
    return min(QUICK * 1.5 ** max(0, pulse.failures - FAILURES), SLOW, interval)


def asked(route: Route, usual: float = HOLD) -> tuple[Asked, ...]:
    """What is to be probed of a route: nothing unless it is live and says how. `usual` is the hold of one that names none."""
    options = route.options
    if options.health is None or route.state is not State.LIVE:
        return ()
    host = options.host or route.host.removeprefix("*.")
    interval = options.interval or INTERVAL
    hold = usual if options.hold is None else options.hold
    return tuple(Asked(target, options.health, host, interval, hold) for target in route.targets)


def judged(route: Route, pulse: Callable[[Asked], Pulse], usual: float = HOLD) -> Route:
    """The route as its probes see it: live with the targets that are well, else restarting, else starting, else unhealthy."""
    pulses = {each.target: pulse(each) for each in asked(route, usual)}
    if not pulses:
        return route
    by = {verdict: [target for target, each in pulses.items() if each.verdict is verdict] for verdict in Verdict}
    if by[Verdict.WELL]:
        return replace(route, targets=tuple(by[Verdict.WELL]))
    if by[Verdict.GONE]:
        return down(replace(route, targets=tuple(by[Verdict.GONE])), pulses[by[Verdict.GONE][0]].reason)
    if by[Verdict.UNKNOWN]:
        why = next(
            (each.reason for each in pulses.values() if each.reason), f"{route.options.health} has not answered yet"
        )
        return replace(route, targets=tuple(by[Verdict.UNKNOWN]), state=State.STARTING, reason=why)
    return replace(route, state=State.UNHEALTHY, reason=next(iter(pulses.values())).reason)
