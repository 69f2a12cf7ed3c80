"""The answers of a study in one SQLite file. What a method has returned from is on the disk: WAL, and an fsync per commit.

Times are UTC, to the second. A participant who withdraws leaves the pseudonym and the date, and no answer.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path

from devdns_study.errors import StudyRefused
from devdns_study.plan import Assignment, Plan, assignments

VERSION = "1"
MAGIC = b"SQLite format 3\0"
WAIT = 10.0  # seconds for another process that writes


def is_store(path: Path) -> bool:
    """Whether the file is a database at all; a table of answers is not."""
    try:
        with path.open("rb") as stream:
            return stream.read(len(MAGIC)) == MAGIC
    except OSError as error:
        raise StudyRefused(f"{str(path)!r} cannot be read: {error.strerror}") from None


class Store:
    """`with Store.opened(path) as store:`; every method that writes commits."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    @classmethod
    @contextmanager
    def opened(cls, path: Path, *, create: bool = False) -> Iterator[Store]:
        """Opens the file; raises `StudyRefused` when it is not there (unless `create`), or not of this version."""
        if not create and not path.exists():
            raise StudyRefused(f"{str(path)!r} is not there", "make it with devdns study plan --data FILE")
        try:
            with closing(sqlite3.connect(path, timeout=WAIT, isolation_level=None)) as database:
                yield cls(_prepared(database, path))
        except sqlite3.DatabaseError as error:
            raise StudyRefused(f"{str(path)!r} cannot be used: {error}") from None

    @contextmanager
    def whole(self) -> Iterator[None]:
        """All writes inside, or none."""
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._database.execute("ROLLBACK")
            raise
        self._database.execute("COMMIT")

    # -- the plan

    def plan(self) -> Plan | None:
        row = self._database.execute("SELECT value FROM study WHERE key = 'plan'").fetchone()
        if row is None:
            return None
        kept = json.loads(row[0])
        parameters = tuple(sorted(kept["parameters"].items()))
        return Plan(kept["seed"], tuple(kept["approaches"]), tuple(kept["tasks"]), kept["participants"], parameters)

    def keep_plan(self, plan: Plan) -> None:
        """Stores the plan and its assignments, in place of one that is stored; not to be called with another order by then."""
        text = json.dumps(
            {
                "seed": plan.seed,
                "approaches": plan.approaches,
                "tasks": plan.tasks,
                "participants": plan.participants,
                "parameters": dict(plan.parameters),
            }
        )
        rows = [(each.participant, json.dumps(each.approaches)) for each in assignments(plan)]
        with self.whole():
            self._database.execute("INSERT OR REPLACE INTO study VALUES ('plan', ?)", (text,))
            self._database.executemany("INSERT OR REPLACE INTO assignment VALUES (?, ?)", rows)

    def assignments(self) -> list[Assignment]:
        rows = self._database.execute("SELECT participant, approaches FROM assignment ORDER BY rowid")
        return [Assignment(who, tuple(json.loads(order))) for who, order in rows]

    # -- participants

    def begin(self, participant: str, origin: str, *, synthetic: bool = False) -> None:
        """Notes that there is such a participant; a second time changes nothing."""
        self._database.execute(
            "INSERT OR IGNORE INTO participant VALUES (?, ?, ?, ?, NULL)", (participant, origin, synthetic, now())
        )

    def participants(self) -> dict[str, tuple[str, bool]]:
        """Those who did not withdraw: pseudonym -> (origin, synthetic), in the order in which they came."""
        rows = self._database.execute(
            "SELECT participant, origin, synthetic FROM participant WHERE withdrawn IS NULL ORDER BY rowid"
        )
        return {who: (origin, bool(synthetic)) for who, origin, synthetic in rows}

    def withdrawn(self) -> tuple[str, ...]:
        rows = self._database.execute("SELECT participant FROM participant WHERE withdrawn IS NOT NULL ORDER BY rowid")
        return tuple(who for (who,) in rows)

    def withdraw(self, participant: str) -> None:
        """Removes every answer, and the pages of the file that held them."""
        self.begin(participant, "session")
        with self.whole():
            self.forget(participant)
            self._database.execute("UPDATE participant SET withdrawn = ? WHERE participant = ?", (now(), participant))
        self._database.execute("VACUUM")
        self._database.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def forget(self, participant: str) -> None:
        """Removes the answers; the caller says within what transaction."""
        for table in ("answer", "step", "run"):
            self._database.execute(f"DELETE FROM {table} WHERE participant = ?", (participant,))  # noqa: S608 - names from the line above

    # -- answers

    def answer(self, participant: str, approach: str, form: str, given: Mapping[str, str]) -> None:
        """Keeps each answer, in place of an earlier one; an empty text takes it back."""
        for item, value in given.items():
            key = (participant, approach, form, item)
            if value:
                self._database.execute("INSERT OR REPLACE INTO answer VALUES (?, ?, ?, ?, ?, ?)", (*key, value, now()))
            else:
                self._database.execute(
                    "DELETE FROM answer WHERE (participant, approach, form, item) = (?, ?, ?, ?)", key
                )

    def answers(self, participant: str, approach: str, form: str) -> dict[str, str]:
        rows = self._database.execute(
            "SELECT item, value FROM answer WHERE (participant, approach, form) = (?, ?, ?)",
            (participant, approach, form),
        )
        return dict(rows.fetchall())

    def every_answer(self, participant: str) -> Iterable[tuple[str, str, str, str]]:
        """(approach, form, item, value) of one participant, in the order in which they were given."""
        query = "SELECT approach, form, item, value FROM answer WHERE participant = ? ORDER BY rowid"
        return self._database.execute(query, (participant,)).fetchall()

    # -- the way through a session

    def pass_step(self, participant: str, step: str) -> None:
        self._database.execute("INSERT OR IGNORE INTO step VALUES (?, ?, ?)", (participant, step, now()))

    def passed(self, participant: str) -> frozenset[str]:
        rows = self._database.execute("SELECT step FROM step WHERE participant = ?", (participant,))
        return frozenset(step for (step,) in rows)

    # -- tasks

    def clock(self, participant: str, approach: str, task: str, seconds: float) -> None:
        """Notes how long a running task has run; makes the row at first."""
        self._database.execute(
            "INSERT INTO run (participant, approach, task, seconds, at) VALUES (?, ?, ?, ?, ?) "
            "ON CONFLICT DO UPDATE SET seconds = excluded.seconds WHERE outcome IS NULL",
            (participant, approach, task, seconds, now()),
        )

    def interrupt(self, participant: str, approach: str, task: str) -> None:
        self._database.execute(
            "UPDATE run SET interrupted = 1 WHERE (participant, approach, task) = (?, ?, ?)",
            (participant, approach, task),
        )

    def conclude(self, participant: str, approach: str, task: str, seconds: float | None, outcome: str | None) -> None:
        """Ends a task, or enters one that was timed elsewhere."""
        self._database.execute(
            "INSERT INTO run (participant, approach, task, seconds, outcome, at) VALUES (?, ?, ?, ?, ?, ?) "
            "ON CONFLICT DO UPDATE SET seconds = excluded.seconds, outcome = excluded.outcome",
            (participant, approach, task, seconds, outcome, now()),
        )

    def runs(self, participant: str) -> list[tuple[str, str, float | None, str | None, bool]]:
        """(approach, task, seconds, outcome, interrupted) of one participant, in the order in which they began."""
        rows = self._database.execute(
            "SELECT approach, task, seconds, outcome, interrupted FROM run WHERE participant = ? ORDER BY rowid",
            (participant,),
        )
        return [(*row[:4], bool(row[4])) for row in rows]


def now() -> str:
    """The time as it is stored."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _prepared(database: sqlite3.Connection, path: Path) -> sqlite3.Connection:
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "secure_delete = ON"):
        database.execute(f"PRAGMA {pragma}")
    if not database.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
        schema = files("devdns_study").joinpath("schema.sql").read_text("utf-8")
        database.executescript(f"BEGIN IMMEDIATE; {schema} COMMIT;")
    try:
        row = database.execute("SELECT value FROM study WHERE key = 'version'").fetchone()
    except sqlite3.OperationalError:
        row = None
    if row != (VERSION,):
        raise StudyRefused(f"{str(path)!r} is not a study of this version")
    return database
