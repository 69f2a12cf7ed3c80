"""What a provider says: a `Statement` of everything it knows, or `Trouble` when it cannot know.

An empty statement means "nothing exists"; trouble is not a statement, so the last one stays in force.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Protocol

from msgspec import Struct

from devdns.core.routes import Route

#: Sources from strongest to weakest; a source's kind is what stands before the colon of its name.
PRECEDENCE = ("manual", "file", "run", "docker", "mdns", "peers")


class Refusal(Struct, frozen=True):
    """Something a source names that cannot become a route, with the line that mends it.

    `name` is what it wanted (as written), `origin` where it stands. A `quiet` one is shown by `explain` only; a `pending` one is
    right, and waits for a restart.
    """

    origin: str
    name: str
    reason: str
    hint: str = ""
    quiet: bool = False
    pending: bool = False


class Statement(Struct, frozen=True):
    """Everything the source says now, in the order of who came first.

    `absent` says why there is no such source, where nobody asked for it: then it is off, and that is no trouble.
    `causes` says by owner what happened since the last statement, in words, for the journal.
    """

    routes: tuple[Route, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    absent: str = ""
    causes: Mapping[str, str] = {}


class Trouble(Struct, frozen=True):
    """The source cannot be read now: why, and what mends it.

    `routes`, when given, is what still holds of its last statement, as found out without the source.
    """

    reason: str
    hint: str = ""
    routes: tuple[Route, ...] | None = None


class Provider(Protocol):
    """One source of routes. `watch` runs until cancelled; it raises nothing for bad input or a lost peer."""

    @property
    def source(self) -> str: ...

    def watch(self) -> AsyncIterator[Statement | Trouble]: ...


def rank(source: str) -> int:
    """The place of a source in `PRECEDENCE`; raises ValueError for a kind that is not there."""
    return PRECEDENCE.index(source.partition(":")[0])
