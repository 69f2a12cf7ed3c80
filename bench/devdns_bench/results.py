"""The raw rows: JSON lines, one file a scenario, appended and synced one by one, so that a killed bench loses no finished run.

A last line that was torn by a kill or a full disk is cut off before the next is written. Nothing is ever rewritten.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from devdns_bench.environment import Session
from devdns_bench.plan import Run
from devdns_bench.scenarios.base import Result

SESSIONS = "sessions.jsonl"
#: Failed runs after which what has never had a figure is left: 100,000 names that are not served after a minute and a half will not be.
TRIES = 3


class Row(Struct, frozen=True, omit_defaults=True):
    """One run, or the reason why a cell has none (`absent`, repeat 0). `at`: seconds since 1970; `load`: the machine's, before it."""

    scenario: str
    cell: str
    approach: str
    repeat: int
    outcome: Literal["measured", "failed", "absent"]
    session: str
    seed: int
    at: float
    took: float = 0.0
    load: float = 0.0
    versions: dict[str, str] = {}
    result: Result | None = None
    reason: str = ""

    @property
    def run(self) -> Run:
        return Run(self.scenario, self.cell, self.approach, self.repeat)


class NoRow(ValueError):
    """A line that this bench did not write; says which."""


class Busy(Exception):
    """Another bench writes to this folder."""


class Store:
    """The results folder, for one writer."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Raises `Busy`."""
        with (self.folder / ".lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise Busy(f"another bench writes to {str(self.folder)!r}") from None
            yield

    def done(self) -> set[Run]:
        """The runs that need not be made again: measured, or tried and failed."""
        return {row.run for row in rows(self.folder) if row.outcome != "absent"}

    def add(self, row: Row) -> None:
        """Returns when the row is on the disk; an absence that is already told is not told again."""
        if row.outcome == "absent" and any(
            each.run == row.run and each.reason == row.reason for each in rows(self.folder, row.scenario)
        ):
            return
        _append(self.folder / f"{row.scenario}.jsonl", msgspec.json.encode(row))

    def keep(self, run: Run, requests: Path) -> None:
        """What became of each request of a run, if it asked any; before its row, so that a row is never without them."""
        if not requests.exists():
            return
        folder = self.folder / "requests"
        folder.mkdir(exist_ok=True)
        words = [
            run.scenario,
            *(f"{key}-{value}" for key, value in run.parameters.items()),
            run.approach,
            str(run.repeat),
        ]
        shutil.copyfile(requests, folder / f"{'-'.join(words)}.jsonl")

    def begin(self, session: Session) -> None:
        """Keeps what the machine was like."""
        _append(self.folder / SESSIONS, msgspec.json.encode(session))


def rows(folder: Path, scenario: str = "*") -> Iterator[Row]:
    """All rows of a folder, in order of file and line; a torn last line is no row. Raises `NoRow`."""
    for path in sorted(folder.glob(f"{scenario}.jsonl")):
        if path.name != SESSIONS:
            for number, line in enumerate(_lines(path), 1):
                yield _read(line, f"{path}:{number}")


def hopeless(rows: Iterable[Row]) -> set[Run]:
    """What has failed `TRIES` times and was never measured, as runs with repeat 0: there is nothing to be learnt from more of them."""
    failed: Counter[Run] = Counter()
    measured = set()
    for row in rows:
        run = replace(row.run, repeat=0)
        if row.outcome == "measured":
            measured.add(run)
        failed[run] += row.outcome == "failed"
    return {run for run, times in failed.items() if times >= TRIES} - measured


def sessions(folder: Path) -> list[Session]:
    """What the machine was like, each time the bench was started."""
    path = folder / SESSIONS
    return [msgspec.json.decode(line, type=Session) for line in _lines(path)] if path.exists() else []


def _read(line: bytes, where: str) -> Row:
    try:
        return msgspec.json.decode(line, type=Row)
    except msgspec.MsgspecError as error:
        raise NoRow(f"{where} is no row of a bench: {error}") from None


def _lines(path: Path) -> list[bytes]:
    return path.read_bytes().split(b"\n")[:-1]


def _append(path: Path, line: bytes) -> None:
    new = not path.exists()
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        os.lseek(descriptor, _whole(descriptor), os.SEEK_SET)
        os.write(descriptor, line + b"\n")
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    if new:
        _sync_folder(path.parent)


def _whole(descriptor: int) -> int:
    """Where the last whole line ends; what follows it is cut off."""
    size = os.fstat(descriptor).st_size
    text = os.pread(descriptor, size, 0)
    end = text.rfind(b"\n") + 1
    if end < size:
        os.ftruncate(descriptor, end)
    return end


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
