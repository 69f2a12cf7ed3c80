"""UMUX-Lite and raw NASA-TLX at their published ends."""

import pytest

from devdns_study.scales import raw_tlx, umux_lite


@pytest.mark.parametrize(
    ("answers", "score"),
    [
        ((1, 1), 22.9),
        ((7, 7), 87.9),
        ((4, 4), 55.4),
        ((6, 7), 0.65 * (11 * 100 / 12) + 22.9),
        ((None, 7), None),
        ((7,), None),
    ],
)
def test_umux_lite_by_the_published_regression(answers, score):
    """Lewis, Utesch & Maher 2013, page 2101: 0.65 x ((item 1 + item 2 - 2) x 100 / 12) + 22.9, so from 22.9 to 87.9."""
    assert umux_lite(answers) == (None if score is None else pytest.approx(score, abs=1e-4))


@pytest.mark.parametrize(
    ("answers", "score"),
    [
        ((0,) * 6, 0),
        ((100,) * 6, 100),
        ((70, 10, 30, 20, 60, 50), 40),
        ((70, None, 30, 20, 60, 50), None),
        ((50,) * 5, None),
    ],
)
def test_raw_tlx_is_the_plain_mean_of_all_six(answers, score):
    assert raw_tlx(answers) == score
