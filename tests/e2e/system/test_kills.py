"""Runs of install and uninstall that are killed at any instant: the next run finishes them or takes them back."""

from __future__ import annotations

import pytest
from support.system_kills import killed

pytestmark = pytest.mark.netns


def test_a_run_that_is_killed_is_finished_or_taken_back_by_the_next():
    counts = killed(10, seed=3)
    assert counts["killed"] == counts["finished"] + counts["undone"] == 10
