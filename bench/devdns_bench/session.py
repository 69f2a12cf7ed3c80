"""Carries out a plan: what is done already is left out, every other run gets a room of its own, and its row is kept before the next."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from devdns_bench import rooms
from devdns_bench.environment import Session
from devdns_bench.inside import Order, Report
from devdns_bench.peers import Found
from devdns_bench.plan import Run, programs, why_not
from devdns_bench.results import Row, Store, hopeless, rows
from devdns_bench.room_engine import sweep, sweep_killed, word
from devdns_bench.scenarios import SCENARIOS

SERVER_CORE = 0
REQUESTS = "requests.jsonl"


class Step(Struct, frozen=True):
    """One run that is over: `seconds` of the plan's expected time that it stands for."""

    run: Run
    row: Row
    seconds: float


def expected(runs: Sequence[Run]) -> float:
    """How long runs take, in seconds, as their scenarios say."""
    return sum(SCENARIOS[run.scenario].takes for run in runs)


def split(runs: Sequence[Run], peers: Mapping[str, Found]) -> tuple[list[Run], dict[Run, str]]:
    """Those that can be made here, and the reasons of the others, one for each cell (as repeat 0)."""
    here, can, absent = rooms.why_not(), [], {}
    for run in runs:
        missing = [peers[name].reason for name in programs(run) if peers[name].reason]
        if reason := why_not(run) or "; ".join(missing) or here:
            absent[replace(run, repeat=0)] = reason
        else:
            can.append(run)
    return can, absent


def perform(
    runs: Sequence[Run], absent: Mapping[Run, str], store: Store, session: Session, peers: Mapping[str, Found]
) -> Iterator[Step]:
    """Makes every run of the plan that the store has not, and that is worth a try; yields each when it is kept."""
    sweep_killed()
    for run, reason in absent.items():
        store.add(_row(run, session, "absent", reason=reason))
    vain = hopeless(rows(store.folder))
    for run in runs:
        if replace(run, repeat=0) in vain:
            continue
        row = _made(run, session, store, {name: peers[name] for name in programs(run)})
        store.add(row)
        if row.outcome == "failed":
            vain = hopeless(rows(store.folder))
        yield Step(run, row, SCENARIOS[run.scenario].takes)


def _made(run: Run, session: Session, store: Store, tools: Mapping[str, Found]) -> Row:
    """One run in a room of its own."""
    load, began = os.getloadavg()[0], time.monotonic()
    folder = Path(tempfile.gettempdir(), word())
    folder.mkdir(mode=0o700)
    try:
        report = _carried_out(_order(run, session, tools, folder), folder, SCENARIOS[run.scenario].most)
        store.keep(run, folder / REQUESTS)
    finally:
        shutil.rmtree(folder)
    return _row(
        run,
        session,
        "measured" if report.result else "failed",
        reason=report.failure,
        result=report.result,
        took=round(time.monotonic() - began, 3),
        load=load,
        versions={name: found.version for name, found in tools.items()},
    )


def _order(run: Run, session: Session, tools: Mapping[str, Found], folder: Path) -> Order:
    core = SERVER_CORE if SCENARIOS[run.scenario].pinned and (os.cpu_count() or 1) > 1 else None
    return Order(
        run.scenario,
        run.approach,
        run.parameters,
        session.seed + run.repeat,
        {name: found.path for name, found in tools.items()},
        folder.name,
        str(folder / REQUESTS),
        core,
    )


def _carried_out(order: Order, folder: Path, most: float) -> Report:
    asked, told = folder / "order.json", folder / "report.json"
    asked.write_bytes(msgspec.json.encode(order))
    command = rooms.entering([sys.executable, "-m", "devdns_bench.inside", str(asked), str(told)])
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=most, check=False)  # noqa: S603 - our own command line
    except subprocess.TimeoutExpired:
        return Report(failure=f"not over after {most:.0f} s")
    finally:
        sweep(order.word)
    if told.exists():
        return msgspec.json.decode(told.read_bytes(), type=Report)
    return Report(failure=f"the room ended with {done.returncode}: {done.stderr[-500:]}")


def _row(run: Run, session: Session, outcome: str, **more: object) -> Row:
    facts = {
        **msgspec.structs.asdict(run),
        "session": session.session,
        "seed": session.seed,
        "at": round(time.time(), 3),
    }
    return Row(**facts, outcome=outcome, **more)  # type: ignore[arg-type] # the fields of a Row by name
