"""Requests per second by route, over the last seconds, from what the proxies told. No clock: its caller says what time it is."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterator

from msgspec import Struct

from devdns.core.figures import REQUESTS, Family
from devdns.core.frames import Figures

WINDOW = 10.0  # seconds
#: What is kept of the window's past; figures come every second.
STEP = 2.0
#: Route -> requests that ended so far, and those of them with a status of 500 or more.
Totals = dict[str, tuple[float, float]]


class Rate(Struct, frozen=True):
    """Requests per second, and those of them that ended with a status of 500 or more."""

    requests: float
    errors: float


class _Course(Struct):
    """What one follower told last, and when; and the totals of some moments of the window, the first at or before its start."""

    now: Figures
    heard: float
    marks: deque[tuple[float, Totals]]


class Rates:
    """The course of each connected follower. Times are seconds of one steady clock."""

    def __init__(self) -> None:
        self._courses: dict[Hashable, _Course] = {}

    def hear(self, follower: Hashable, figures: Figures, now: float) -> None:
        """A follower told its figures; what it counted before its first word has no time, so it is no rate."""
        course = self._courses.get(follower)
        if course is None:
            self._courses[follower] = _Course(figures, now, deque([(now, totals(figures))]))
            return
        marks, last = course.marks, course.heard
        # One every step, and one at each end of a silence: what follows it has not begun before.
        if last >= marks[-1][0] + STEP or marks[-1][0] < last <= now - STEP:
            marks.append((last, totals(course.now)))
        while len(marks) > 1 and marks[1][0] <= now - WINDOW:
            marks.popleft()
        course.now, course.heard = figures, now

    def leave(self, follower: Hashable) -> None:
        """A follower is gone."""
        self._courses.pop(follower, None)

    def by_route(self, now: float) -> dict[str, Rate]:
        """The routes that were asked in the window; the empty name is what no route answered."""
        found: dict[str, list[float]] = {}
        for course in self._courses.values():
            for name, requests, errors in _gained(course, now):
                row = found.setdefault(name, [0.0, 0.0])
                row[0] += requests
                row[1] += errors
        return {name: Rate(round(row[0], 3), round(row[1], 3)) for name, row in found.items()}


def _gained(course: _Course, now: float) -> Iterator[tuple[str, float, float]]:
    """What each route gained per second since the start of the window, or since the follower's first word if that is later."""
    if course.heard <= now - WINDOW:
        return
    since, before = course.marks[0]
    for moment, each in course.marks:
        if moment <= now - WINDOW:
            since, before = moment, each
    seconds = min(max(now - since, STEP), WINDOW)
    for name, (requests, errors) in totals(course.now).items():
        then = before.get(name, (0.0, 0.0))
        if requests > then[0]:
            yield name, (requests - then[0]) / seconds, max(0.0, errors - then[1]) / seconds


def totals(figures: Figures) -> Totals:
    """The requests in a part's figures, by route."""
    found: Totals = {}
    for family in figures.families:
        if family.name == REQUESTS:
            for name, status, value in _rows(family):
                requests, errors = found.get(name, (0.0, 0.0))
                found[name] = requests + value, errors + (value if status >= "500" else 0.0)
    return found


def _rows(family: Family) -> Iterator[tuple[str, str, float]]:
    for sample in family.samples:
        labels = dict(sample.labels)
        yield labels.get("route", ""), labels.get("status", ""), sample.value
