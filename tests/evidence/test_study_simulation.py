"""Every estimator of the study at n = 20, many times: 90 to 98 % of intervals hold the truth, at most 6 % false alarms."""

import pytest
from support.coverage import ESTIMATORS, coverage, type_one

TRIALS = 4_000


@pytest.mark.evidence
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", ESTIMATORS)
def test_coverage(name):
    share = coverage(name, TRIALS)
    print(f"\n{name}: {share:.3f}")
    assert 0.90 <= share <= 0.98


@pytest.mark.evidence
@pytest.mark.timeout(600)
def test_false_alarms():
    share = type_one(TRIALS)
    print(f"\nsigns drawn: {share:.3f}")
    assert share <= 0.06
