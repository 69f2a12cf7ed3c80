"""What one participant said about one approach: the rows that everything else scores, stores and analyses.

A missing answer is None, never a number. `synthetic` marks rows that no person gave.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Outcome = Literal["passed", "failed", "gave-up", "timeout"]
OUTCOMES: tuple[Outcome, ...] = ("passed", "failed", "gave-up", "timeout")

SUS_ITEMS = tuple(f"sus{number}" for number in range(1, 11))
UMUX_ITEMS = ("umux1", "umux2")
TLX_ITEMS = ("tlx_mental", "tlx_physical", "tlx_temporal", "tlx_performance", "tlx_effort", "tlx_frustration")
Answers = tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class Run:
    """One task with one approach. `seconds` is the time until the participant stopped; `seq` the single ease question, 1 to 7.

    `interrupted` says that the session was stopped during the task: its outcome counts, its time does not.
    """

    task: str
    outcome: Outcome | None = None
    seconds: float | None = None
    seq: int | None = None
    interrupted: bool = False


@dataclass(frozen=True, slots=True)
class Response:
    """`sus` holds 10 answers of 1 to 5, `umux` 2 of 1 to 7, `tlx` 6 of 0 to 100, each possibly None."""

    participant: str
    approach: str
    consent: bool
    synthetic: bool = False
    sus: Answers = (None,) * len(SUS_ITEMS)
    umux: Answers = (None,) * len(UMUX_ITEMS)
    tlx: Answers = (None,) * len(TLX_ITEMS)
    runs: tuple[Run, ...] = ()
