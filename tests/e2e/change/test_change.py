"""Change without loss, in short: every scene a few times, on containers' own addresses and on published ports.

The full count of repetitions, and the added delay, are judged in tests/evidence/test_change.py.
"""

import pytest
from support.change_run import CONTAINERS, DAEMONS, PROCESSES, RELAYED, judged, no_engine, play, surroundings
from support.change_scenes import respawned

pytestmark = pytest.mark.timeout(300)
REPEATS = 3
PLACES = pytest.mark.parametrize("published", [False, True], ids=["addresses", "published"])


@PLACES
@pytest.mark.engine
async def test_no_change_of_a_container_loses_a_request(engine, tmp_path, published):
    with surroundings(engine, tmp_path, published=published) as around:
        judged(await play(around, [*CONTAINERS, *(RELAYED if published else ())], REPEATS, at_once=5))


@PLACES
@pytest.mark.engine
async def test_no_restart_of_the_engine_loses_a_request(engine, tmp_path, published):
    with surroundings(engine, tmp_path, published=published) as around:
        judged(await play(around, DAEMONS, 1, at_once=1))


async def test_no_change_of_a_server_on_this_machine_loses_a_request(tmp_path):
    with no_engine(tmp_path) as around:
        judged(await play(around, PROCESSES, REPEATS, at_once=3))


async def test_no_restart_of_a_server_loses_a_request_by_https(tmp_path):
    with no_engine(tmp_path, secure=True) as around:
        judged(await play(around, [respawned], REPEATS, at_once=1))
