"""One participant's place in the study: where they are, what they answered, and the task that runs for them.

Owns no socket. Everything that it returns from is stored; a task's clock is stored every second, and stands still while
no session runs.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from devdns_study.errors import StudyRefused
from devdns_study.instrument import Card, Instrument, card, instrument
from devdns_study.plan import Plan
from devdns_study.responses import Outcome
from devdns_study.rows import AGREED, CONSENT, DECLINED
from devdns_study.sandbox.stage import Stage
from devdns_study.session.answers import answer_of, open_items
from devdns_study.session.flow import END, Step, current, steps
from devdns_study.sheets import words_of
from devdns_study.store import Store, now

BEAT = 1.0  # seconds
TASK = "task"
TROUBLE = "trouble.log"


@dataclass(frozen=True, slots=True)
class Venue:
    """Where scenes are set up, and with which image."""

    folder: Path
    image: str


class Seat:
    """`step` is where the participant is; `running` whether a task runs; `close` ends what runs and changes no answer."""

    def __init__(self, store: Store, plan: Plan, participant: str, order: Sequence[str], venue: Venue) -> None:
        self.store, self.plan, self.participant = store, plan, participant
        self.way = steps(order, plan.tasks)
        self._venue = venue
        self._stage: Stage | None = None
        self._beat: asyncio.Task[None] | None = None
        self._began = self._before = 0.0
        self._lock = asyncio.Lock()

    @property
    def declined(self) -> bool:
        return self.store.answers(self.participant, "", CONSENT).get(CONSENT) == DECLINED

    @property
    def step(self) -> Step:
        return current(self.way, self._done(), declined=self.declined)

    @property
    def progress(self) -> str:
        return f"Page {self.way.index(self.step) + 1} of {len(self.way)}"

    @property
    def running(self) -> bool:
        return self._stage is not None

    @property
    def folder(self) -> Path:
        step = self.step
        return self._venue.folder / self.participant / f"{step.approach}-{step.task}"

    def _done(self) -> frozenset[str]:
        return self.store.passed(self.participant)

    # -- forms

    def form(self) -> Instrument:
        """The instrument of this step, in this participant's words."""
        step = self.step
        return instrument(step.form, words_of(self.plan, self.participant, step.approach, step.task or "task"))

    def given(self) -> dict[str, str]:
        """What was answered on this step."""
        return self.store.answers(self.participant, self.step.approach, self.step.form)

    def save(self, item: str, values: Sequence[str]) -> None:
        """Keeps one answer of this step; raises `Unheard` for what the form does not ask."""
        form = self.form()
        known = next((each for each in form.items if each.id == item), None)
        if known is not None and form.name != CONSENT:  # consent is given with the whole form
            self.store.answer(self.participant, self.step.approach, form.name, {item: answer_of(known, values)})

    def submit(self, posted: Mapping[str, Sequence[str]], *, asked_before: bool) -> dict[str, str]:
        """Keeps the answers of a form; goes on unless something is open, which it returns."""
        step = self.step
        if step.kind == "form":
            form = self.form()
            given = {item.id: answer_of(item, posted.get(item.id, ())) for item in form.items}
            notes = open_items(form, given, asked_before=asked_before)
            if notes and form.name == CONSENT:
                return notes
            if form.name == CONSENT and given[CONSENT] != AGREED:
                given = {CONSENT: DECLINED}
            self.store.answer(self.participant, step.approach, form.name, given)
            if notes:
                return notes
        self.store.pass_step(self.participant, step.key)
        return {}

    # -- tasks

    @property
    def card(self) -> Card:
        return card(self.step.task)

    def stopped(self) -> bool:
        """Whether the task of this step ran before, in a session that was interrupted."""
        return not self.running and self._clocked() is not None

    def _clocked(self) -> float | None:
        step = self.step
        for approach, task, seconds, outcome, _ in self.store.runs(self.participant):
            if (approach, task) == (step.approach, step.task) and outcome is None:
                return seconds or 0.0
        return None

    async def start(self) -> None:
        """Sets the scene up and starts the clock; raises `StudyRefused` when the scene does not start."""
        async with self._lock:
            if self.running or self.step.kind != TASK:
                return
            step, before = self.step, self._clocked()
            salt = f"{self.plan.seed}:{self.participant}"
            self._stage = await asyncio.to_thread(
                Stage.set, self.folder, step.approach, step.task, salt, self._venue.image
            )
            if before is not None:
                self.store.interrupt(self.participant, step.approach, step.task)
            self._before, self._began = before or 0.0, time.monotonic()
            self.store.clock(self.participant, step.approach, step.task, self._before)
            self._beat = asyncio.create_task(self._run_clock(step, self.card.limit))

    @property
    def seconds(self) -> float:
        """How long the task has run, without the time in which no session ran."""
        return self._before + time.monotonic() - self._began

    async def _run_clock(self, step: Step, limit: float) -> None:
        while self.seconds < limit:
            await asyncio.sleep(min(BEAT, max(0.0, limit - self.seconds)))
            self.store.clock(self.participant, step.approach, step.task, min(self.seconds, limit))
        async with self._lock:
            if self._stage is not None:
                await self._conclude(step, limit, "timeout")

    async def finish(self, *, gave_up: bool, answer: str) -> None:
        """Stops the clock, then checks by machine whether the task is done."""
        async with self._lock:
            if self._stage is None:
                return
            step, seconds, limit = self.step, self.seconds, self.card.limit
            if answer:
                self.store.answer(self.participant, step.approach, TASK, {step.task: answer})
            outcome: Outcome = "gave-up" if gave_up else "timeout"
            if seconds < limit and not gave_up:
                outcome = "passed" if await asyncio.to_thread(self._stage.passed, answer) else "failed"
            await self._conclude(step, min(seconds, limit), outcome)

    async def _conclude(self, step: Step, seconds: float, outcome: Outcome) -> None:
        with self.store.whole():
            self.store.conclude(self.participant, step.approach, step.task, round(seconds, 3), outcome)
            self.store.pass_step(self.participant, step.key)
        await self._strike()

    async def _strike(self) -> None:
        """Ends the scene; its files stay."""
        stage, self._stage = self._stage, None
        beat, self._beat = self._beat, None
        if beat is not None and beat is not asyncio.current_task():
            beat.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await beat
        if stage is not None:
            await asyncio.to_thread(stage.close)

    # -- the end

    async def withdraw(self) -> None:
        """Removes every answer and every file of the participant."""
        async with self._lock:
            await self._strike()
            self.store.withdraw(self.participant)
            self._clear()

    def note(self, text: str) -> Path:
        """Adds a fault to the file that is beside the scenes; returns its path."""
        path = self._venue.folder / TROUBLE
        with path.open("a", encoding="utf-8") as stream:
            stream.write(f"{now()} {self.participant} {self.step.key}\n{text}\n")
        return path

    def _clear(self) -> None:
        shutil.rmtree(self._venue.folder / self.participant, ignore_errors=True)

    async def close(self) -> None:
        """Ends what runs; once the session is done its scenes go, too."""
        async with self._lock:
            if self._stage is not None:
                step = self.step
                self.store.clock(self.participant, step.approach, step.task, self.seconds)
            await self._strike()
            if self.over:
                self._clear()

    @property
    def over(self) -> bool:
        return self.step == END


def seat(store: Store, participant: str, venue: Venue, *, synthetic: bool) -> Seat:
    """The place of a participant of the plan; raises `StudyRefused` when there is none to be had."""
    plan, orders = store.plan(), {each.participant: each.approaches for each in store.assignments()}
    if plan is None:
        raise StudyRefused("there is no plan yet", "make one with devdns study plan")
    if participant not in orders:
        raise StudyRefused(f"{participant!r} is not in the plan", f"it has {', '.join(list(orders)[:3])}, ...")
    if participant in store.withdrawn():
        raise StudyRefused(f"{participant} withdrew", "take another pseudonym of the plan")
    origin, marked = store.participants().get(participant, ("session", synthetic))
    if origin != "session":
        raise StudyRefused(f"{participant} has answers from {origin!r} already", "take another pseudonym of the plan")
    if marked != synthetic:
        raise StudyRefused(
            f"{participant} began {'with' if marked else 'without'} --synthetic", "go on in the same way"
        )
    taken = Seat(store, plan, participant, orders[participant], venue)
    for step in taken.way:  # whatever word a sheet lacks is found before anybody reads it
        if step.kind in ("sheet", "form"):
            instrument(step.form, words_of(plan, participant, step.approach, step.task or "task"))
    store.begin(participant, "session", synthetic=synthetic)
    return taken
