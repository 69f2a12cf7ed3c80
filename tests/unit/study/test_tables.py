"""Tables from paper and survey tools: what is read, and how every bad cell is named."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.study_rows import BEST, csv_text

from devdns_study.errors import RowsRefused, StudyRefused
from devdns_study.responses import Run
from devdns_study.tables import parse_table, read_table

GOOD = ("P01", "devdns", "true", BEST)


def problems(text):
    with pytest.raises(RowsRefused) as refused:
        parse_table(text, "t.csv")
    return list(refused.value.problems)


def test_a_plain_table():
    (row,) = parse_table(csv_text(GOOD), "t.csv").responses
    assert (row.participant, row.approach, row.consent, row.synthetic, row.sus) == ("P01", "devdns", True, False, BEST)
    assert row.umux == (None, None)
    assert row.runs == ()


@pytest.mark.parametrize("change", [
    lambda text: "\ufeff" + text,
    lambda text: text.replace(",", ";"),
    lambda text: text.replace(",", "\t"),
    lambda text: text.replace("\n", "\r\n"),
    lambda text: text.replace("sus1,", " SUS1 ,").replace("participant", "Participant"),
    lambda text: text.replace(",5,", ", 5.0 ,"),
    lambda text: text + ",,,,,,,,,,,,\n\n",
    lambda text: text.replace("true", "Yes"),
    lambda text: text.replace("P01", '"P01"'),
], ids=["mark", "semicolons", "tabs", "crlf", "titles", "spreadsheet numbers", "empty rows", "yes", "quotes"])  # fmt: skip
def test_what_spreadsheets_make_of_it_is_the_same(change):
    assert parse_table(change(csv_text(GOOD)), "t.csv") == parse_table(csv_text(GOOD), "t.csv")


def test_the_further_columns():
    more = (
        "umux1",
        "umux2",
        "tlx_mental",
        "synthetic",
        "port-changed_outcome",
        "port-changed_seconds",
        "port-changed_seq",
    )
    text = csv_text((*GOOD, 6, 7, 55, "true", "passed", 93.5, 6), more=more)
    (row,) = parse_table(text, "t.csv").responses
    assert (row.umux, row.tlx[0], row.synthetic) == ((6, 7), 55, True)
    assert row.runs == (Run("port-changed", "passed", 93.5, 6),)


@pytest.mark.parametrize("cell", ["", "NA", "n/a", "  "])
def test_a_missing_answer_is_missing(cell):
    (row,) = parse_table(csv_text(("P01", "devdns", "true", (cell, *BEST[1:]))), "t.csv").responses
    assert row.sus == (None, *BEST[1:])


def test_columns_of_others_are_told_and_passed_over():
    assert parse_table(csv_text((*GOOD, "monday"), more=("timestamp",)), "t.csv").ignored == ["timestamp"]


def test_every_bad_cell_is_named_by_row_and_column_and_nothing_is_taken():
    text = csv_text(
        GOOD,
        ("P02", "devdns", "maybe", (7, "four", *BEST[2:])),
        ("", "devdns", "true", BEST),
        ("Jo Smith", "devdns", "true", BEST),
        ("P05", "devdns", "", (3.5, -1, *BEST[2:])),
        ("P01", "devdns", "true", BEST),
        ("P01", "ports", "false", BEST),
        ("P09", "ports", "true", (*BEST, 3, 3)),
    )
    assert problems(text) == [
        "row 3, column consent: 'maybe' is neither true nor false",
        "row 3, column sus1: '7' is not a whole number from 1 to 5",
        "row 3, column sus2: 'four' is not a whole number from 1 to 5",
        "row 4, column participant: empty",
        "row 5, column participant: 'Jo Smith' is not a name of letters, digits, - and _ (at most 32)",
        "row 6, column consent: empty",
        "row 6, column sus1: '3.5' is not a whole number from 1 to 5",
        "row 6, column sus2: '-1' is not a whole number from 1 to 5",
        "row 7, column participant: 'P01' has an answer for 'devdns' in row 2 already",
        "row 8, column consent: 'P01' said otherwise in row 2",
        "row 9: 15 cells under 13 titles",
    ]


@pytest.mark.parametrize(
    ("column", "cell", "why"),
    [
        ("umux1", "8", "is not a whole number from 1 to 7"),
        ("tlx_effort", "101", "is not a whole number from 0 to 100"),
        ("synthetic", "perhaps", "is neither true nor false"),
        ("clash_outcome", "won", "is not one of passed, failed, gave-up, timeout"),
        ("clash_seconds", "0", "is not a number of seconds above 0"),
        ("clash_seconds", "1e3", "is not a number of seconds above 0"),
        ("clash_seq", "0", "is not a whole number from 1 to 7"),
    ],
)
def test_the_further_columns_are_checked_alike(column, cell, why):
    assert problems(csv_text((*GOOD, cell), more=(column,))) == [f"row 2, column {column}: {cell!r} {why}"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "row 1: no header"),
        (csv_text(), "no row of answers"),
        (csv_text(GOOD).replace("sus7", "sus70"), "row 1: column sus7 is missing"),
        (csv_text(GOOD).replace("sus7", "sus70"), "row 1: column 'sus70' is not of the study, did you mean sus7?"),
        (csv_text(GOOD).replace("sus7", "sus6"), "row 1: column sus6 stands there 2 times"),
        (csv_text(GOOD) + '"P02,devdns', "not a CSV file: unexpected end of data"),
    ],
)
def test_what_is_wrong_with_the_whole(text, problem):
    assert problem in problems(text)


def test_bytes_that_are_no_text_are_found_by_row(tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes(csv_text(GOOD).encode() + b"P\xff2,devdns,true\n")
    with pytest.raises(RowsRefused, match="row 3: byte 0xff is not UTF-8"):
        read_table(path)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(StudyRefused, match="cannot be read"):
        read_table(tmp_path / "none.csv")


def read_or_refused(text):
    """True when rows came of it, else the problems in words."""
    try:
        return bool(parse_table(text, "t.csv").responses)
    except RowsRefused as refused:
        return refused.problems


@given(st.text(max_size=300))
def test_any_text_is_read_or_refused_in_words(text):
    assert read_or_refused(text)


@given(st.lists(st.text(max_size=8), min_size=13, max_size=13))
def test_any_row_is_read_or_refused_in_words(cells):
    quoted = ",".join('"' + cell.replace('"', '""') + '"' for cell in cells)
    assert read_or_refused(f"{csv_text()}{quoted}\n")
