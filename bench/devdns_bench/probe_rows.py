"""What a prober saw: one row a request, and the figures that follow from the rows.

Pure: no sockets and no clock. Rows go to JSON lines and back, so that every figure can be made again from them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

#: `ok`: 200 by an expected backend. `refused`: nobody took the connection, or no way leads there. `reset`: the connection died
#: before the response. `post_written_lost`: the same, for a request that nobody may send again. `timeout`: no whole response in time.
#: `truncated`: it died, or made no sense, once the response had begun. `misrouted`: 200 by a backend that is not expected, or with
#: another request's nonce. `http_other`: a status below 400 that is not 200, or no HTTP at all.
Outcome = Literal[
    "ok",
    "refused",
    "reset",
    "post_written_lost",
    "timeout",
    "truncated",
    "misrouted",
    "http_4xx",
    "http_5xx",
    "http_other",
]
#: `new` connection; `kept` one, used before; `opened`: a kept one was due, none was idle.
Way = Literal["new", "kept", "opened"]


class Row(Struct, frozen=True, omit_defaults=True):
    """One request. Times in seconds: `due` and `sent` after the run began, `took` from due to the last byte or the failure."""

    number: int
    due: float
    sent: float
    took: float
    outcome: Outcome
    method: str
    way: Way
    status: int = 0
    backend: str = ""
    detail: str = ""

    @property
    def ended(self) -> float:
        return self.due + self.took


class Summary(Struct, frozen=True):
    """One run in figures, seconds throughout.

    `p50`, `p99`, `slowest`: from the due time, of answers and of time-outs (which took at least that long). `outage`: the longest
    stretch of failures, from the first one's due time to that of the next success; `silence`: the longest time in which no answer
    came; `recovery`: from the change to the due time from which on all went well. `late`: p99 of what the prober itself was late by.
    """

    sent: int
    counts: dict[str, int]
    p50: float
    p99: float
    slowest: float
    outage: float
    silence: float
    recovery: float | None
    idle_closed: int
    late: float

    @property
    def failed(self) -> dict[str, int]:
        """Everything that did not go well."""
        return {outcome: count for outcome, count in self.counts.items() if outcome != "ok"}


def summarise(rows: Iterable[Row], *, changed: float | None = None, idle_closed: int = 0) -> Summary:
    """The figures of one run. `changed`: when the change was made, seconds after the run began."""
    ordered = sorted(rows, key=lambda row: row.due)
    took = sorted(row.took for row in ordered if row.outcome in {"ok", "timeout"})
    return Summary(
        sent=len(ordered),
        counts=dict(sorted(Counter(row.outcome for row in ordered).items())),
        p50=quantile(took, 0.50),
        p99=quantile(took, 0.99),
        slowest=took[-1] if took else 0.0,
        outage=outage(ordered),
        silence=silence(ordered),
        recovery=None if changed is None else recovery(ordered, changed),
        idle_closed=idle_closed,
        late=quantile(sorted(row.sent - row.due for row in ordered), 0.99),
    )


def quantile(ordered: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` of all do not exceed; 0 of nothing."""
    if not ordered:
        return 0.0
    return ordered[max(0, min(len(ordered) - 1, -int(-share * len(ordered) // 1) - 1))]


def outage(ordered: Sequence[Row]) -> float:
    """The longest stretch without success; one that lasts to the end ends with the last row."""
    longest, began = 0.0, None
    for row in ordered:
        if row.outcome == "ok":
            longest, began = max(longest, row.due - began if began is not None else 0.0), None
        elif began is None:
            began = row.due
    return max(longest, ordered[-1].due - began) if began is not None else longest


def silence(ordered: Sequence[Row]) -> float:
    """The longest time between two answers that were well, the run's first and last due times counted as such."""
    if not ordered:
        return 0.0
    ends = sorted(row.ended for row in ordered if row.outcome == "ok")
    moments = [ordered[0].due, *ends, max([ordered[-1].due, *ends[-1:]])]
    return max(later - earlier for earlier, later in pairwise(moments))


def recovery(ordered: Sequence[Row], changed: float) -> float | None:
    """From `changed` until all goes well: 0 when nothing failed after it, None when the last request still fails."""
    last = max(
        (number for number, row in enumerate(ordered) if row.outcome != "ok" and row.due >= changed), default=None
    )
    if last is None:
        return 0.0
    return ordered[last + 1].due - changed if last + 1 < len(ordered) else None


def judge(status: int, body: bytes, nonce: str, expected: Collection[str]) -> tuple[Outcome, str]:
    """The outcome of a whole response, and who says to have given it: its body is `IDENTITY` or `IDENTITY NONCE`."""
    if status != 200:
        kind: Outcome = "http_5xx" if status >= 500 else "http_4xx" if status >= 400 else "http_other"
        return kind, ""
    backend, *echo = body.decode("latin-1").split() or [""]
    right = backend in expected and echo in ([], [nonce])
    return "ok" if right else "misrouted", backend


def write(rows: Iterable[Row], path: Path) -> None:
    """As JSON lines."""
    encoder = msgspec.json.Encoder()
    path.write_bytes(b"".join(encoder.encode(row) + b"\n" for row in rows))


def read(path: Path) -> list[Row]:
    """What `write` wrote. Raises msgspec.ValidationError for anything else."""
    decoder = msgspec.json.Decoder(Row)
    return [decoder.decode(line) for line in path.read_bytes().splitlines()]
