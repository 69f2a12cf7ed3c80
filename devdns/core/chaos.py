"""Faults that a developer asks for, to see what the stack makes of them: slow, failing, cut and flapping services.

They end by themselves: each carries the time until which it counts, and whoever applies it looks at the clock.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any

from msgspec import Struct

from devdns.core.errors import DevdnsError, UsageRefused
from devdns.core.kinds import read_seconds, refuse

SHARE = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,4})?)%")
#: Seconds a fault lasts where nobody says, and at most; and the longest delay of one request.
DEFAULT, MOST, MOST_LATENCY = 60.0, 3_600.0, 60.0
LEAST_FLAP = 0.1


class Fault(Enum):
    """What becomes of one request."""

    PASS = "pass"  # noqa: S105 # no password
    LATE = "late"
    ERROR = "error"
    RESET = "reset"
    DOWN = "down"


class Chaos(Struct, frozen=True, kw_only=True):
    """The faults of one route. Times in seconds, shares of requests from 0 to 1; `since` and `until` in Unix time.

    With `flap` the service is up for so long, then down for as long, and so on.
    """

    latency: float = 0.0
    error: float = 0.0
    reset: float = 0.0
    flap: float = 0.0
    since: float = 0.0
    until: float = 0.0

    def __str__(self) -> str:
        words = {
            f"latency {self.latency * 1_000:g} ms": self.latency,
            f"error {self.error * 100:g} %": self.error,
            f"reset {self.reset * 100:g} %": self.reset,
            f"flap {self.flap:g} s": self.flap,
        }
        return ", ".join(word for word, value in words.items() if value)


class Faults(Struct, frozen=True, tag="faults"):
    """All faults in force, by the name of their route; replaces what was told before."""

    rows: tuple[tuple[str, Chaos], ...] = ()


def verdict(chaos: Chaos, at: float, dice: Callable[[], float]) -> Fault:
    """What becomes of a request at the Unix time `at`; `dice` gives a number from 0 to 1."""
    if at >= chaos.until:
        return Fault.PASS
    if chaos.flap and int((at - chaos.since) / chaos.flap) % 2:
        return Fault.DOWN
    share = dice() if chaos.error or chaos.reset else 1.0
    if share < chaos.reset:
        return Fault.RESET
    if share < chaos.reset + chaos.error:
        return Fault.ERROR
    return Fault.LATE if chaos.latency else Fault.PASS


def read_share(text: str) -> float:
    """`5%` as 0.05."""
    found = SHARE.fullmatch(text)
    share = float(found[1]) / 100 if found else 2.0
    return share if share <= 1 else refuse(text, "a share of requests", "write it like 5%")


def _latency(text: str) -> float:
    seconds = read_seconds(text)
    return (
        seconds
        if seconds <= MOST_LATENCY
        else refuse(text, f"a delay of at most {MOST_LATENCY:.0f}s", "write it like 300ms")
    )


def _flap(text: str) -> float:
    seconds = read_seconds(text)
    return (
        seconds if seconds >= LEAST_FLAP else refuse(text, f"a time of at least {LEAST_FLAP:g}s", "write it like 10s")
    )


def _length(text: str) -> float:
    seconds = read_seconds(text)
    return (
        seconds if 0 < seconds <= MOST else refuse(text, f"a time of at most {MOST / 3_600:.0f}h", "write it like 60s")
    )


#: What a fault is written with, in the command and the API.
FIELDS: dict[str, Callable[[str], float]] = {
    "latency": _latency,
    "error": read_share,
    "reset": read_share,
    "flap": _flap,
    "for": _length,
}


def read_chaos(body: Mapping[str, Any], now: float) -> Chaos:
    """A fault from what was written, as texts; raises `UsageRefused` with the first thing that is wrong."""
    read: dict[str, float] = {}
    for key, value in body.items():
        if key not in FIELDS or not isinstance(value, str):
            raise UsageRefused(f"{key!r} is no fault with a text", f"write {', '.join(FIELDS)}")
        try:
            read[key] = FIELDS[key](value)
        except DevdnsError as error:
            raise UsageRefused(f"{key}: {error.message}", error.hint) from None
    lasts = read.pop("for", DEFAULT)
    chaos = Chaos(**read, since=now, until=now + lasts)
    if not str(chaos):
        raise UsageRefused("no fault is named", "such as --latency 300ms, --error 5%, --reset 1% or --flap 10s")
    if chaos.error + chaos.reset > 1:
        raise UsageRefused(f"{chaos.error:.0%} errors and {chaos.reset:.0%} resets are more than all requests")
    return chaos
