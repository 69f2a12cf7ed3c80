"""Who meets the approaches in which order: a balanced Latin square, drawn from a seed that is stored with the answers.

In a balanced square (Williams 1949) every approach stands at every place equally often, and follows every other one equally
often, so that order and carry-over cannot favour one. With an odd number of approaches it takes the mirrored rows too.
The draw is by SHA-256, so that a seed means the same order on every machine and with every Python.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Plan:
    """What is fixed before the first participant. `parameters` fill the sheets: who asks, where, how long data are kept."""

    seed: int
    approaches: tuple[str, ...]
    tasks: tuple[str, ...]
    participants: int
    parameters: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Assignment:
    """The order in which one participant meets the approaches."""

    participant: str
    approaches: tuple[str, ...]


def balanced_square(size: int) -> list[tuple[int, ...]]:
    """The rows of a Williams design for `size` conditions: `size` rows, or twice as many when it is odd."""
    first = [0]
    for step in range(1, size):
        first.append((first[-1] + (step if step % 2 else -step)) % size)
    rows = [tuple((place + shift) % size for place in first) for shift in range(size)]
    return rows if size % 2 == 0 or size == 1 else rows + [row[::-1] for row in rows]


def assignments(plan: Plan) -> list[Assignment]:
    """An order for each participant; whole squares in a drawn order each, so that the design is balanced at every full block."""
    approaches = _drawn(plan.approaches, f"{plan.seed}:approaches")
    square = balanced_square(len(approaches))
    width = max(2, len(str(plan.participants)))
    rows: list[tuple[int, ...]] = []
    for block in range(-(-plan.participants // len(square))):
        rows += _drawn(square, f"{plan.seed}:block:{block}")
    return [
        Assignment(f"P{number:0{width}}", tuple(approaches[place] for place in row))
        for number, row in enumerate(rows[: plan.participants], 1)
    ]


def block_size(approaches: int) -> int:
    """A number of participants that is a multiple of this one is balanced."""
    return len(balanced_square(approaches))


def _drawn(things: Sequence[T], salt: str) -> list[T]:
    return sorted(things, key=lambda thing: hashlib.sha256(f"{salt}:{thing!r}".encode()).digest())
