"""The way through a session, and what a form may post."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devdns_study.html import NEEDED, NOTE
from devdns_study.instrument import Item, instrument
from devdns_study.session.answers import Unheard, answer_of, open_items
from devdns_study.session.flow import END, current, steps

WAY = steps(("ports", "devdns"), ("clash", "no-answer"))
SCALE = Item("sus1", "?", "scale", 1, 5)
TICKS = Item("known", "?", "ticks", options=(("a", "A"), ("b", "B")))
TEXT = Item("best", "?", "text")


def test_the_order_of_everything():
    assert [step.key for step in WAY] == [
        "information", "consent", "demographics",
        "approach/ports", "task/ports/clash", "seq/ports/clash", "task/ports/no-answer", "seq/ports/no-answer",
        "sus/ports", "umux-lite/ports", "nasa-tlx/ports",
        "approach/devdns", "task/devdns/clash", "seq/devdns/clash", "task/devdns/no-answer", "seq/devdns/no-answer",
        "sus/devdns", "umux-lite/devdns", "nasa-tlx/devdns",
        "debrief", "end",
    ]  # fmt: skip
    assert max(Counter(step.key for step in WAY).values()) == 1


@given(st.integers(0, len(WAY) - 1))
def test_a_participant_is_at_the_first_step_that_is_not_done(count):
    assert current(WAY, {step.key for step in WAY[:count]}, declined=False) == WAY[count]


def test_who_does_not_agree_is_at_the_end():
    assert current(WAY, {"information"}, declined=True) == END


@pytest.mark.parametrize(
    ("item", "values", "stored"),
    [
        (SCALE, ["4"], "4"),
        (SCALE, [], ""),
        (TICKS, ["b", "a"], "a,b"),
        (TEXT, ["  words \n"], "words"),
        (TEXT, ["x" * 5000], "x" * 4000),
    ],
)
def test_what_is_stored_of_a_field(item, values, stored):
    assert answer_of(item, values) == stored


@pytest.mark.parametrize(("item", "values"), [(SCALE, ["6"]), (SCALE, ["4", "5"]), (SCALE, [""]), (TICKS, ["a", "c"])])
def test_what_a_form_cannot_have_sent_is_refused(item, values):
    with pytest.raises(Unheard):
        answer_of(item, values)


def test_a_missing_answer_is_asked_for_once():
    form = instrument("umux-lite", {"approach": "x"})
    assert open_items(form, {"umux1": "3"}, asked_before=False) == {"umux2": NOTE}
    assert open_items(form, {"umux1": "3"}, asked_before=True) == {}


@pytest.mark.parametrize(
    ("given_answers", "open_ones"),
    [
        ({}, {"consent"}),
        ({"consent": "no"}, set()),
        ({"consent": "yes"}, {"read"}),
        ({"consent": "yes", "read": "read,free"}, {"read"}),
        ({"consent": "yes", "read": "read,free,data,age"}, set()),
    ],
)
def test_consent_is_asked_until_it_is_given_whole_or_refused(given_answers, open_ones):
    notes = open_items(instrument("consent", {}), given_answers, asked_before=True)
    assert set(notes) == open_ones
    assert notes.get("consent", NEEDED) == NEEDED
