"""Change without loss, as often as a claim needs: nothing failed, and nobody waited much longer than the change itself took."""

import pytest
from support.change_run import CONTAINERS, DAEMONS, PROCESSES, RELAYED, judged, no_engine, play, surroundings
from support.change_scenes import killed, restarted

pytestmark = [pytest.mark.evidence, pytest.mark.timeout(1800)]
REPEATS = 30
BOUND = 0.050  # seconds above the downtime and above what answers took before the change, each p99
DOORS = pytest.mark.parametrize("secure", [False, True], ids=["http", "https"])
PLACES = pytest.mark.parametrize("published", [False, True], ids=["addresses", "published"])


def in_time(scenes):
    late = [scene.report() for scene in scenes if scene.excess() - scene.calm() > BOUND]
    assert not late


@PLACES
@pytest.mark.parametrize("change", CONTAINERS, ids=lambda change: change.__name__)
async def test_no_change_of_a_container_loses_a_request(engine, tmp_path, published, change):
    with surroundings(engine, tmp_path, published=published) as around:
        scenes = await play(around, [change], REPEATS, at_once=1)
    judged(scenes)
    in_time(scenes)


@pytest.mark.parametrize("change", RELAYED, ids=lambda change: change.__name__)
async def test_no_change_behind_a_relay_loses_a_request(engine, tmp_path, change):
    with surroundings(engine, tmp_path, published=True) as around:
        scenes = await play(around, [change], REPEATS, at_once=1)
    judged(scenes)
    in_time(scenes)


@PLACES
@pytest.mark.parametrize("change", DAEMONS, ids=lambda change: change.__name__)
async def test_no_restart_of_the_engine_loses_a_request(engine, tmp_path, published, change):
    with surroundings(engine, tmp_path, published=published) as around:
        scenes = await play(around, [change], REPEATS, at_once=1)
    judged(scenes)
    in_time(scenes)


@pytest.mark.parametrize("change", [restarted, killed], ids=lambda change: change.__name__)
async def test_no_change_of_a_container_loses_a_request_by_https(engine, tmp_path, change):
    with surroundings(engine, tmp_path, secure=True) as around:
        scenes = await play(around, [change], REPEATS, at_once=1)
    judged(scenes)
    in_time(scenes)


@DOORS
@pytest.mark.parametrize("change", PROCESSES, ids=lambda change: change.__name__)
async def test_no_change_of_a_server_on_this_machine_loses_a_request(tmp_path, change, secure):
    with no_engine(tmp_path, secure=secure) as around:
        scenes = await play(around, [change], REPEATS, at_once=1)
    judged(scenes)
    in_time(scenes)
