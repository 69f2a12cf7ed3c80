"""The SUS as published: worked fixtures, sub-scales, missing items, straight lines, grades and adjectives."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.study_rows import BEST, WORST

from devdns_study import sus
from devdns_study.grades import ADJECTIVES, GRADES, adjective, grade

ANSWERS = st.tuples(*[st.integers(1, 5)] * 10)


@pytest.mark.parametrize(
    ("answers", "score", "flags"),
    [
        ((3,) * 10, 50, ("straight-lining",)),
        (BEST, 100, ()),
        (WORST, 0, ()),
        ((5,) * 10, 50, ("straight-lining",)),
        ((1,) * 10, 50, ("straight-lining",)),
        # The filled form of Brooke 1996, reprinted in Tullis & Albert, Measuring the User Experience (2008), figure 6.8:
        # contributions 4 1 1 4 1 2 1 1 4 3, sum 22, SUS 55.
        ((5, 4, 2, 1, 2, 3, 2, 4, 5, 2), 55, ()),
    ],
)
def test_worked_examples(answers, score, flags):
    found = sus.score(answers)
    assert found is not None
    assert (found.score, found.flags) == (score, flags)


def test_brookes_contributions():
    assert sus.contributions((5, 4, 2, 1, 2, 3, 2, 4, 5, 2)) == (4, 1, 1, 4, 1, 2, 1, 1, 4, 3)


def test_usability_and_learnability_are_items_1_to_3_5_to_9_and_items_4_and_10():
    """Lewis & Sauro 2009: eight items by 3.125, two by 12.5, so that both run from 0 to 100."""
    hard_to_learn = tuple(5 if number in (4, 10) else best for number, best in enumerate(BEST, 1))
    found = sus.score(hard_to_learn)
    assert (found.usability, found.learnability, found.score) == (100, 0, 80)


@given(ANSWERS)
def test_the_score_is_the_weighted_mean_of_its_sub_scales_and_a_step_of_two_and_a_half(answers):
    found = sus.score(answers)
    assert found.score == pytest.approx(0.8 * found.usability + 0.2 * found.learnability)
    assert 0 <= found.score <= 100
    assert found.score % 2.5 == 0


@given(ANSWERS)
def test_turning_every_answer_round_turns_the_score_round(answers):
    assert sus.score(answers).score + sus.score(tuple(6 - answer for answer in answers)).score == 100


@given(ANSWERS, st.sets(st.integers(0, 9), min_size=1, max_size=10))
def test_up_to_two_missing_items_count_as_the_centre(answers, places):
    holes = tuple(None if place in places else answer for place, answer in enumerate(answers))
    filled = tuple(3 if place in places else answer for place, answer in enumerate(answers))
    found = sus.score(holes)
    if len(places) > 2:
        assert found is None
    else:
        assert found.score == sus.score(filled).score
        assert found.missing == tuple(place + 1 for place in sorted(places))
        assert "missing items" in found.flags


@pytest.mark.parametrize("answers", [(3,) * 9, (3,) * 11, (0, *(3,) * 9), (6, *(3,) * 9)])
def test_what_is_not_ten_answers_of_one_to_five_is_refused(answers):
    with pytest.raises(ValueError, match="ten answers"):
        sus.score(answers)


@pytest.mark.parametrize(
    ("score", "letter"),
    [
        (100, "A+"), (84.1, "A+"), (84.09, "A"), (84.0, "A"), (80.8, "A"), (80.79, "A-"), (78.9, "A-"), (78.8, "B+"),
        (77.2, "B+"), (77.1, "B"), (74.1, "B"), (74.0, "B-"), (72.6, "B-"), (72.5, "C+"), (71.1, "C+"), (71.0, "C"),
        (65.0, "C"), (64.9, "C-"), (62.7, "C-"), (62.6, "D"), (51.7, "D"), (51.6, "F"), (0, "F"),
    ],
)  # fmt: skip
def test_grades_of_the_curved_scale_at_their_published_edges(score, letter):
    """Sauro & Lewis 2016. Both ends of each published range, and what lies between two ranges belongs to the lower one."""
    assert grade(score) == letter


def test_a_mean_that_floats_miss_by_a_hair_keeps_its_grade():
    mean = 84.1 - 1e-13
    assert mean < 84.1
    assert grade(mean) == "A+"


@given(st.floats(0, 100), st.floats(0, 100))
def test_a_better_score_never_has_a_worse_word(one, other):
    low, high = sorted((one, other))
    letters, words = ([name for name, _ in rows] for rows in (GRADES, ADJECTIVES))
    assert letters.index(grade(high)) <= letters.index(grade(low))
    assert words.index(adjective(high)) <= words.index(adjective(low))


@pytest.mark.parametrize(("word", "mean"), ADJECTIVES)
def test_the_published_mean_of_an_adjective_has_that_adjective(word, mean):
    assert adjective(mean) == word


@pytest.mark.parametrize(
    ("score", "word"),
    [(88.2, "Best imaginable"), (88.19, "Excellent"), (61.15, "Good"), (61.14, "OK"), (0, "Worst imaginable")],
)
def test_half_way_between_two_adjectives_the_better_one_holds(score, word):
    assert adjective(score) == word
