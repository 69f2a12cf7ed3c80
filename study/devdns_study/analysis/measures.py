"""What is measured once for each participant and approach, and on which scale."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from devdns_study import sus
from devdns_study.estimators.bayes import LOAD_PRIOR, SUS_PRIOR, Prior
from devdns_study.responses import Response
from devdns_study.scales import raw_tlx, umux_lite

ITEM_PRIOR = Prior(mean=2.0, deviation=1.0, low=0.0, high=4.0)
EASE_PRIOR = Prior(mean=4.0, deviation=1.5, low=1.0, high=7.0)


@dataclass(frozen=True, slots=True)
class Measure:
    """`of` gives a row's value, or None; `prior` holds the ends of the scale."""

    name: str
    title: str
    of: Callable[[Response], float | None]
    prior: Prior


def _sus(row: Response) -> float | None:
    found = sus.score(row.sus)
    return found.score if found else None


def _usability(row: Response) -> float | None:
    found = sus.score(row.sus)
    return found.usability if found else None


def _learnability(row: Response) -> float | None:
    found = sus.score(row.sus)
    return found.learnability if found else None


def _ease(row: Response) -> float | None:
    given = [run.seq for run in row.runs if run.seq is not None]
    return sum(given) / len(given) if given else None


SUS = Measure("sus", "SUS", _sus, SUS_PRIOR)
USABILITY = Measure("usability", "Usability", _usability, SUS_PRIOR)
LEARNABILITY = Measure("learnability", "Learnability", _learnability, SUS_PRIOR)
UMUX = Measure("umux_lite", "UMUX-Lite", lambda row: umux_lite(row.umux), SUS_PRIOR)
TLX = Measure("tlx", "Task load", lambda row: raw_tlx(row.tlx), LOAD_PRIOR)
EASE = Measure("seq", "Ease of tasks", _ease, EASE_PRIOR)
MEASURES = (SUS, USABILITY, LEARNABILITY, UMUX, TLX, EASE)
