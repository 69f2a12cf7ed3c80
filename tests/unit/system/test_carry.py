"""Steps and their journal: in force, taken back, refused over foreign changes, and whole after an end at any instant."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import pytest
from msgspec import Struct

from devdns.core.errors import DevdnsError
from devdns.system.carry import Carrier, ForeignChange
from devdns.system.journal import Journal, JournalBroken, State, digest


class Put(Struct, frozen=True, tag="put"):
    place: str
    text: str

    @property
    def key(self):
        return self.place


class Died(Exception):
    """As a SIGKILL does, nothing behind it runs."""


class Table:
    """Hands for a machine that is a dictionary; the run dies after `fuse` of the instants before and after a touch."""

    def __init__(self, places, fuse=-1):
        self.places = places
        self.fuse = fuse

    def _burn(self):
        self.fuse -= 1
        if self.fuse == -1:
            raise Died

    def look(self, step):
        text = self.places.get(step.place)
        return State() if text is None else State(digest(text.encode()), text.encode())

    def aim(self, step):
        return digest(step.text.encode())

    def apply(self, step, _):
        self._burn()
        self.places[step.place] = step.text
        self._burn()

    def undo(self, step, before):
        self._burn()
        self.places.pop(step.place, None)
        if before.digest:
            self.places[step.place] = before.content.decode()
        self._burn()

    def differ(self, step, now):
        return f"-{step.text}\n+{now.content.decode()}"


MACHINE = {"hosts": "localhost", "resolv": "10.0.0.1"}
STEPS = (Put("resolv", "127.0.0.53"), Put("unit", "devdns"))


def install(path: Path, table: Table, steps=STEPS, told=None):
    journal = Journal[Put](path, Put)
    with journal.held():
        Carrier(journal, table, (told if told is not None else []).append).carry_out(steps)


def uninstall(path: Path, table: Table, *, keep=False):
    journal = Journal[Put](path, Put)
    with journal.held():
        Carrier(journal, table, [].append).take_back(journal.entries, keep=keep)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "system.journal"


def test_steps_are_done_once_and_all_is_as_before_when_they_are_undone(path):
    table, told = Table(dict(MACHINE)), []
    install(path, table)
    assert table.places == {"hosts": "localhost", "resolv": "127.0.0.53", "unit": "devdns"}
    install(path, table, told=told)
    assert [line.split()[0] for line in told] == ["stands", "stands"]
    uninstall(path, table)
    assert table.places == MACHINE
    assert not path.exists()


def test_the_journal_says_what_was_there_and_what_is_and_nobody_else_reads_it(path):
    install(path, Table(dict(MACHINE)))
    book = json.loads(path.read_text())
    first, second = book["entries"]
    assert (book["version"], first["phase"], first["step"]["place"]) == (1, "done", "resolv")
    assert (first["before"]["digest"], first["after"]) == (digest(b"10.0.0.1"), digest(b"127.0.0.53"))
    assert second["before"] == {}
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("fuse", range(8))
@pytest.mark.parametrize("then", [install, uninstall])
@pytest.mark.parametrize("first", [install, uninstall])
def test_whatever_was_cut_off_the_next_run_finishes_or_takes_back(path, fuse, first, then):
    table = Table(dict(MACHINE))
    if first is uninstall:
        install(path, table)
    table.fuse = fuse
    with contextlib.suppress(Died):
        first(path, table)
    table.fuse = -1
    then(path, table)
    uninstalled = then is uninstall
    assert table.places == (MACHINE if uninstalled else MACHINE | {"resolv": "127.0.0.53", "unit": "devdns"})
    uninstall(path, table)
    assert (table.places, path.exists()) == (MACHINE, False)


def test_another_plan_takes_the_place_of_the_first_and_knows_what_was_before_it(path):
    table = Table(dict(MACHINE))
    install(path, table)
    install(path, table, (Put("resolv", "127.0.0.1"),))
    assert table.places == {"hosts": "localhost", "resolv": "127.0.0.1"}
    uninstall(path, table)
    assert table.places == MACHINE


@pytest.mark.parametrize("act", [install, uninstall])
def test_nothing_is_done_over_a_foreign_change_and_the_difference_is_shown(path, act):
    table = Table(dict(MACHINE))
    install(path, table)
    table.places["unit"] = "edited"
    there = dict(table.places)
    with pytest.raises(ForeignChange, match="unit") as refused:
        act(path, table)
    assert refused.value.differences == ("-devdns\n+edited",)
    assert (table.places, path.exists()) == (there, True)
    uninstall(path, table, keep=True)
    assert table.places == MACHINE | {"unit": "edited"}
    assert not path.exists()


def test_two_at_once_are_refused(path):
    with Journal[Put](path, Put).held(), pytest.raises(DevdnsError, match="another devdns"):
        install(path, Table({}))


@pytest.mark.parametrize("text", ["", "{", '{"version": 1, "entries": [{}]}', '{"version": 2}'])
def test_a_journal_that_cannot_be_read_stops_everything(path, text):
    path.write_text(text)
    with pytest.raises(JournalBroken, match=r"system\.journal"):
        Journal[Put](path, Put)


def test_a_link_in_the_place_of_the_journal_is_not_followed(path, tmp_path):
    (tmp_path / "theirs").write_text("precious")
    (tmp_path / ".system.journal.new").symlink_to("theirs")
    install(path, Table({}))
    assert (tmp_path / "theirs").read_text() == "precious"
    assert not path.is_symlink()


def test_a_journal_that_was_changed_while_a_person_was_asked_is_judged_again(tmp_path):
    """What is carried out is what was judged: the file may be another one by the time that the lock is held."""

    def check(entry):
        if entry.step.place == "passwd":
            raise DevdnsError("not believed")

    path = tmp_path / "journal"
    install(path, Table(MACHINE))
    journal = Journal[Put](path, Put, check)
    assert len(journal.entries) == 2
    path.write_text(path.read_text().replace('"unit"', '"passwd"'))
    with pytest.raises(DevdnsError, match="not believed"), journal.held():
        pytest.fail("the forged entry was taken")
    with pytest.raises(DevdnsError, match="not believed"):
        Journal[Put](path, Put, check)
