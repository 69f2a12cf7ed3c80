import io
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devdns.cli.text import clean, duration, screen_width, style, table

HOSTILE = {
    "an escape sequence": ("\x1b[31mred", "\\x1b[31mred"),
    "an operating system command": ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
    "a C1 control": ("\x9b31m", "\\x9b31m"),
    "a line break": ("one\ntwo\rthree", "one\\ntwo\\rthree"),
    "a Unicode line break": ("one\u2028two", "one\\u2028two"),
    "a bidi override": ("abc\u202edef", "abc\\u202edef"),
    "a bidi isolate": ("\u2066x\u2069", "\\u2066x\\u2069"),
    "a byte that was no UTF-8": ("\udcff", "\\udcff"),
    "a null": ("\0", "\\x00"),
    "nothing wrong": ("käse 日本 ->", "käse 日本 ->"),
}


@pytest.mark.parametrize(("text", "shown"), HOSTILE.values(), ids=HOSTILE)
def test_foreign_text_is_shown_and_obeyed_never(text, shown):
    assert clean(text) == shown


@given(st.text())
def test_clean_text_is_one_line_without_controls(text):
    shown = clean(text)
    assert len(shown.splitlines()) <= 1
    assert not any(unicodedata.category(each) in ("Cc", "Cf", "Cs", "Zl", "Zp") for each in shown)
    assert clean(shown) == shown


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self):
        return True


@pytest.mark.parametrize(
    ("stream", "environ", "coloured"),
    [
        (Terminal(), {}, True),
        (Terminal(), {"NO_COLOR": "1"}, False),
        (Terminal(), {"NO_COLOR": ""}, True),
        (Terminal(), {"TERM": "dumb"}, False),
        (io.StringIO(), {}, False),
    ],
)
def test_colour_is_for_terminals_that_want_it(stream, environ, coloured):
    assert style(stream, environ)("x", "bold", "red") == ("\x1b[1;31mx\x1b[0m" if coloured else "x")


def test_a_table_is_aligned_and_clean():
    assert table([("a", "1"), ("long\x1b", "22")], ("NAME", "N")) == ["NAME      N", "a         1", "long\\x1b  22"]


def test_a_table_without_rows_is_nothing():
    assert table([]) == []


@pytest.mark.parametrize(
    ("width", "line"),
    [
        (None, "name  " + "x" * 20 + "  " + "y" * 20),
        (44, "name  " + "x" * 15 + "...  " + "y" * 15 + "..."),
        (36, "name  " + "x" * 11 + "...  " + "y" * 11 + "..."),
        (1, "name  xxxxxxx...  yyyyyyy..."),
    ],
)
def test_a_screen_takes_from_the_widest_column(width, line):
    assert table([("name", "x" * 20, "y" * 20)], width=width, cut=(1, 2)) == [line]
    assert screen_width(io.StringIO()) is None


def test_a_cell_is_coloured_after_it_was_padded():
    assert table([("a", "b")], ("AAA", "B"), look=lambda column, cell: f"<{column}{cell}>")[1] == "<0a  >  <1b>"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (59.9, "59 s"), (60, "1 min"), (3 * 3600 + 300, "3 h 5 min"), (90000, "1 d 1 h")],
)
def test_durations(seconds, text):
    assert duration(seconds) == text
