"""The database of a study: what comes back, what is taken whole or not at all, what a withdrawal leaves."""

import sqlite3

import pytest
from support.study_rows import BEST, WORST, csv_text

from devdns_study.errors import RowsRefused, StudyRefused
from devdns_study.plan import Plan
from devdns_study.responses import Response, Run
from devdns_study.rows import import_rows, read_source, responses
from devdns_study.store import Store

ROWS = [
    Response("P01", "devdns", True, False, BEST, (6, 7), (10, 20, 30, 40, 50, 60), (Run("clash", "passed", 40.5, 6),)),
    Response("P01", "ports", True, False, (None, *WORST[1:]), runs=(Run("clash", "timeout", 600.0),)),
    Response("P02", "devdns", True, True, BEST),
    Response("P03", "devdns", True),
]


@pytest.fixture
def store(tmp_path):
    with Store.opened(tmp_path / "study.sqlite", create=True) as opened:
        yield opened


def test_rows_come_back_as_they_went_in(store):
    assert import_rows(store, ROWS, "a.csv") == 4
    assert responses(store) == ROWS


def test_taking_the_same_file_twice_changes_nothing(store):
    rows = [*ROWS, Response("P04", "devdns", False, False, BEST)]
    assert import_rows(store, rows, "a.csv") == 5
    before = responses(store)
    assert import_rows(store, rows, "a.csv") == 0
    assert responses(store) == before


def test_one_row_that_cannot_be_taken_leaves_all_out(store):
    import_rows(store, ROWS[:1], "a.csv")
    with pytest.raises(RowsRefused, match="P01 has other answers for devdns already"):
        import_rows(store, [ROWS[2], Response("P01", "devdns", True, False, WORST)], "b.csv")
    assert responses(store) == ROWS[:1]


def test_who_and_what_is_not_in_the_plan_is_refused_by_its_column(store):
    store.keep_plan(Plan(1, ("devdns", "ports"), ("clash",), 2))
    rows = [
        ROWS[0],
        Response("P99", "devdsn", True, False, BEST),
        Response("P02", "hosts", True, False, BEST),
        Response("P02", "devdns", False),
    ]
    with pytest.raises(RowsRefused) as refused:
        import_rows(store, rows, "a.csv")
    assert refused.value.problems == (
        "column participant: 'P99' is not in the plan, it has P01, P02",
        "column approach: 'devdsn' of P99 is not in the plan, did you mean devdns?",
        "column approach: 'hosts' of P02 is not in the plan, it has devdns, ports",
    )
    assert responses(store) == []
    assert import_rows(store, [ROWS[0], Response("P02", "-", False)], "a.csv") == 2


def test_what_was_answered_without_consent_is_not_kept(store, tmp_path):
    import_rows(store, [Response("P09", "devdns", False, False, BEST)], "a.csv")
    assert [(row.participant, row.consent, row.sus) for row in responses(store)] == [("P09", False, (None,) * 10)]


def test_a_withdrawal_leaves_the_pseudonym_and_no_answer_in_the_file(tmp_path):
    path = tmp_path / "study.sqlite"
    with Store.opened(path, create=True) as store:
        store.begin("P01", "session")
        store.answer("P01", "", "debrief", {"comment": "a-telling-word"})
        store.withdraw("P01")
        assert (store.withdrawn(), responses(store)) == (("P01",), [])
        with pytest.raises(RowsRefused, match="P01 withdrew"):
            import_rows(store, ROWS[:1], "a.csv")
    assert not [each for each in tmp_path.iterdir() if b"a-telling-word" in each.read_bytes()]


def test_an_answer_is_on_the_disk_once_it_is_taken(store, tmp_path):
    store.answer("P01", "devdns", "sus", {"sus1": "4"})
    with sqlite3.connect(tmp_path / "study.sqlite") as other:
        assert other.execute("SELECT value FROM answer").fetchall() == [("4",)]
    other.close()


def test_an_answer_replaces_an_earlier_one_and_an_empty_one_takes_it_back(store):
    for value, kept in (("4", {"sus1": "4"}), ("2", {"sus1": "2"}), ("", {})):
        store.answer("P01", "devdns", "sus", {"sus1": value})
        assert store.answers("P01", "devdns", "sus") == kept


def test_a_plan_is_kept_with_its_seed(store):
    plan = Plan(7, ("devdns", "ports"), ("clash",), 4, (("contact", "a@b"),))
    store.keep_plan(plan)
    assert store.plan() == plan
    assert [each.participant for each in store.assignments()] == ["P01", "P02", "P03", "P04"]


@pytest.mark.parametrize("content", [b"SQLite format 3\0 and nothing more", None])
def test_what_is_not_a_study_is_refused(tmp_path, content):
    path = tmp_path / "other.sqlite"
    if content is None:
        with sqlite3.connect(path) as other:
            other.execute("CREATE TABLE something (it TEXT)")
        other.close()
    else:
        path.write_bytes(content)
    with pytest.raises(StudyRefused, match=r"cannot be used|not a study"):
        read_source(path)


def test_a_table_and_a_database_are_told_apart(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text(csv_text(("P01", "devdns", "true", BEST)))
    assert [row.participant for row in read_source(path).rows] == ["P01"]
    with pytest.raises(StudyRefused, match="cannot be read"):
        read_source(tmp_path / "none.sqlite")
