"""What stands in the journal of changes: from a change of the table to its entries, one for each route. Pure.

A line of the journal is a line of JSON; its fields are the shape that the API tells, version 1.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

import msgspec
from msgspec import Struct

from devdns.core.names import Claim
from devdns.core.routes import Change, Route, RouteTable, State

#: A change of more routes than these is one entry, so that a file of 100,000 lines does not wash all else away.
MOST = 200
MOST_TARGETS = 8
MOST_CAUSE = 300
#: What is to blame where a source does not say, by its kind.
DOERS = {"file": "its file changed", "manual": "devdns add or devdns rm", "mdns": "what mDNS announces changed"}


class Side(Struct, frozen=True):
    """A route before or after a change; at most `MOST_TARGETS` of its targets."""

    state: str
    targets: tuple[str, ...]
    reason: str
    source: str


class Entry(Struct, frozen=True, rename={"before": "from", "after": "to"}):
    """One line. `time` is UTC, to the millisecond.

    `change`: a route changed `from` what it was (null: it came) `to` what it is (null: it left), because of `cause`. `many`: `count`
    routes changed at once. `failed`: `count` requests for the route failed for `reason`, after the last change named in `cause`.
    """

    time: str
    kind: Literal["change", "many", "failed"]
    name: str = ""
    cause: str = ""
    count: int = 1
    reason: str = ""
    before: Side | None = None
    after: Side | None = None


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Entry)


def encode(entry: Entry) -> bytes:
    """The entry as a line."""
    return _encoder.encode(entry) + b"\n"


def decode(lines: Iterable[bytes]) -> list[Entry]:
    """The entries in lines; one that was torn by a crash, or is none of ours, counts as nothing."""
    found = []
    for line in lines:
        try:
            found.append(_decoder.decode(line))
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            continue
    return found


def entries(before: RouteTable, change: Change, causes: Mapping[str, str], cause: str, time: str) -> list[Entry]:
    """The entries of a change. `causes` are known by owner of the route, `cause` is that of all others."""
    count = len(change.added) + len(change.removed)
    if count > MOST:
        source = change.added[0].source if change.added else ""
        return [Entry(time, "many", cause=cause or _doer(source), count=count)]
    pairs: list[tuple[Claim, Route | None]] = [(claim, None) for claim in change.removed]
    pairs += [(route.claim, route) for route in change.added]
    return [_entry(claim, before.get(claim), after, causes, cause, time) for claim, after in pairs]


def _entry(  # noqa: PLR0913, PLR0917 - one line's worth of facts
    claim: Claim, before: Route | None, after: Route | None, causes: Mapping[str, str], cause: str, time: str
) -> Entry:
    route = after or before
    said = cause or (causes.get(route.owner, "") if route else "")
    if not said or (after is None and before is not None and before.state is State.RESTARTING):
        said = _silent(before, after)
    return Entry(time, "change", str(claim), said[:MOST_CAUSE], before=_side(before), after=_side(after))


def _silent(before: Route | None, after: Route | None) -> str:
    """Why, where nobody said it."""
    if after is None and before is not None and before.state is State.RESTARTING:
        return "its hold is over"
    route = after or before
    if before is None and route is not None and route.source.startswith("file:"):
        return "its file names it"  # which it may have done long before devdns was started
    return _doer(route.source if route else "")


def _doer(source: str) -> str:
    return DOERS.get(source.partition(":")[0], source)


def _side(route: Route | None) -> Side | None:
    if route is None:
        return None
    targets = tuple(str(target) for target in route.targets[:MOST_TARGETS])
    return Side(route.state.value, targets, route.reason, route.source)


def wanted(every: Iterable[Entry], host: str, since: str) -> list[Entry]:
    """Those of a host (empty: of all; those of many routes always), not before `since`."""
    return [
        entry
        for entry in every
        if entry.time >= since
        and (not host or not entry.name or _of(entry.name.partition("/")[0].partition(":")[0], host))
    ]


def _of(name: str, host: str) -> bool:
    """Whether a route of `name` may answer for `host`."""
    return name == host or (name.startswith("*.") and host.endswith(name[1:]))
