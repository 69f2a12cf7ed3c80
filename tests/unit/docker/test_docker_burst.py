"""A recorded real event stream, replayed for some stacks at once; tests/evidence has it for a thousand containers."""

from support.burst import burst

STACKS = 8  # of nine containers each


async def test_after_a_burst_of_real_events_the_table_is_right_by_few_statements(tmp_path):
    figures = await burst(tmp_path, STACKS)
    assert len(figures.changes) >= 2
    assert figures.statements < 141 * STACKS / 2  # half of the events that were recorded
