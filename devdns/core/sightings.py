"""What a part sees of services while it takes requests to them, as it tells control: who cannot be reached, and what failed."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

#: A part that went wrong must not be able to grow control.
MOST_TARGETS = 1_000
MOST_FAILURES = 1_000
MOST_TEXT = 300
Text = Annotated[str, Meta(max_length=MOST_TEXT)]


class Trouble(Struct, frozen=True, array_like=True):
    """A target that takes no connection: since when (Unix time), why, and how many requests wait for it now.

    `open` is its circuit breaker: requests for it are answered at once, and it is only dialled now and then.
    """

    target: Text
    open: bool
    reason: Text
    since: float
    waiting: int


class Failure(Struct, frozen=True, array_like=True):
    """Requests of one route (host and prefix) that were answered with 5xx of our own: how many, and the last of them."""

    route: Text
    count: int
    status: int
    reason: Text
    at: float


class Sightings(Struct, frozen=True, tag="sightings"):
    """All of it, in place of what the same part told before. `failures` count since the part was started."""

    part: Annotated[str, Meta(max_length=40)]
    targets: Annotated[tuple[Trouble, ...], Meta(max_length=MOST_TARGETS)] = ()
    failures: Annotated[tuple[Failure, ...], Meta(max_length=MOST_FAILURES)] = ()
    life: Annotated[str, Meta(max_length=40)] = ""


def cut(text: str) -> str:
    """A text as long as one may be."""
    return text if len(text) <= MOST_TEXT else text[: MOST_TEXT - 1] + "…"
