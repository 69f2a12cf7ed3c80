"""What probes make of a route: which of its targets are well, and the state that follows. Decisions only.

A target nobody knows anything of yet is starting; one that was well is ill after `FAILURES` in a row, and well again after
one success. Routes without `health` are as their source says.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

from msgspec import Struct
from msgspec.structs import replace

from devdns.core.routes import Route, State, Target

FAILURES = 3
#: A service that was never well is starting for so many seconds, then unhealthy.
PATIENCE = 15.0
INTERVAL = 10.0
#: Seconds between two probes: while it starts, after the first failure, and at most while it is ill.
FIRST, QUICK, SLOW = 0.02, 0.1, 2.0
#: While it starts the pause is this part of the time spent so far.
PART = 100


class Asked(Struct, frozen=True):
    """What is probed: `path` as written in `health`, `host` the name the service is asked by, `interval` in seconds while it is well."""

    target: Target
    path: str
    host: str
    interval: float = INTERVAL


class Verdict(Enum):
    """What is known of a target."""

    UNKNOWN = "unknown"
    WELL = "well"
    ILL = "ill"


class Pulse(Struct, frozen=True):
    """The verdict so far, how many failures in a row, since when it is asked, and why it failed last."""

    since: float
    verdict: Verdict = Verdict.UNKNOWN
    failures: int = 0
    reason: str = ""


def felt(pulse: Pulse, failure: str, now: float) -> Pulse:
    """After one more probe; `failure` is empty for a success."""
    if not failure:
        return Pulse(pulse.since, Verdict.WELL)
    failures, verdict = pulse.failures + 1, pulse.verdict
    given_up = now - pulse.since >= PATIENCE if verdict is Verdict.UNKNOWN else True
    if failures >= FAILURES and given_up:
        verdict = Verdict.ILL
    return Pulse(pulse.since, verdict, failures, failure)


def pause(pulse: Pulse, interval: float, now: float) -> float:
    """Seconds until the next probe."""
    if pulse.verdict is Verdict.UNKNOWN:
        return min(max(FIRST, (now - pulse.since) / PART), interval)
    if not pulse.failures:
        return interval
    return min(QUICK * 1.5 ** max(0, pulse.failures - FAILURES), SLOW, interval)


def asked(route: Route) -> tuple[Asked, ...]:
    """What is to be probed of a route: nothing unless it is live and says how."""
    options = route.options
    if options.health is None or route.state is not State.LIVE:
        return ()
    host = options.host or route.host.removeprefix("*.")
    interval = options.interval or INTERVAL
    return tuple(Asked(target, options.health, host, interval) for target in route.targets)


def judged(route: Route, pulse: Callable[[Asked], Pulse]) -> Route:
    """The route as its probes see it: live with the targets that are well, else starting, else unhealthy."""
    pulses = {each.target: pulse(each) for each in asked(route)}
    if not pulses:
        return route
    by = {verdict: [target for target, each in pulses.items() if each.verdict is verdict] for verdict in Verdict}
    if by[Verdict.WELL]:
        return replace(route, targets=tuple(by[Verdict.WELL]))
    if by[Verdict.UNKNOWN]:
        why = next(
            (each.reason for each in pulses.values() if each.reason), f"{route.options.health} has not answered yet"
        )
        return replace(route, targets=tuple(by[Verdict.UNKNOWN]), state=State.STARTING, reason=why)
    return replace(route, state=State.UNHEALTHY, reason=next(iter(pulses.values())).reason)
