"""The System Usability Scale (Brooke 1996): ten answers of 1 to 5 in, a score of 0 to 100 out.

Missing items: up to `MOST_MISSING` count as the centre point 3, which is where Brooke tells respondents to mark what they
cannot answer; with more there is no score. Who answers everything alike is flagged as straight-lining, since half of the
statements are worded against the other half.
"""

from __future__ import annotations

from dataclasses import dataclass

from devdns_study.responses import Answers

CENTRE = 3
MOST_MISSING = 2
LEARNABILITY = (4, 10)  # item numbers; the other eight are usability (Lewis & Sauro 2009)
STRAIGHT_LINING = "straight-lining"
IMPUTED = "missing items"


@dataclass(frozen=True, slots=True)
class Sus:
    """A score with its two sub-scales, each 0 to 100, the numbers of the missing items, and flags in words."""

    score: float
    usability: float
    learnability: float
    missing: tuple[int, ...]
    flags: tuple[str, ...]


def score(answers: Answers) -> Sus | None:
    """Scores ten answers; None when too many are missing. Raises ValueError for what is not ten answers of 1 to 5."""
    if len(answers) != 10 or any(answer is not None and not 1 <= answer <= 5 for answer in answers):
        raise ValueError(f"not ten answers of 1 to 5: {answers!r}")
    missing = tuple(number for number, answer in enumerate(answers, 1) if answer is None)
    if len(missing) > MOST_MISSING:
        return None
    given = dict(enumerate(contributions(answers), 1))
    total = sum(given.values())
    learning = sum(given[number] for number in LEARNABILITY)
    return Sus(total * 2.5, (total - learning) * 3.125, learning * 12.5, missing, _flags(answers, missing))


def contributions(answers: Answers) -> tuple[int, ...]:
    """0 to 4 for each item: odd items are worded for the system, even ones against it; a missing one is in the centre."""
    filled = [CENTRE if answer is None else answer for answer in answers]
    return tuple(answer - 1 if number % 2 else 5 - answer for number, answer in enumerate(filled, 1))


def _flags(answers: Answers, missing: tuple[int, ...]) -> tuple[str, ...]:
    given = {answer for answer in answers if answer is not None}
    return (STRAIGHT_LINING,) * (len(given) == 1) + (IMPUTED,) * bool(missing)
