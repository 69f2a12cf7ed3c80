"""A recorded real event stream, replayed for a thousand containers at once: right at the end, bounded, and quick meanwhile."""

import pytest
from support.burst import burst, percentile

pytestmark = pytest.mark.evidence
STACKS = 112  # of nine containers each


async def test_a_thousand_containers_in_a_burst(tmp_path):
    figures = await burst(tmp_path, STACKS)
    print(f"\n{9 * STACKS} containers: {figures}")
    assert percentile(figures.own, 90) < 100
    assert figures.memory < 60 << 20
