"""Raw TCP names in control: doors are asked for, and routes say what became of them."""

import pytest
from msgspec.structs import replace
from support.waiting import until

from devdns.control import raw_names
from devdns.control.addresses import Addresses
from devdns.control.raw_names import NOBODY, OPENING, RawNames
from devdns.core.routes import Route, State, parse_raw_target, parse_target

DB = Route(host="db.dev.test", port=5432, targets=(parse_raw_target("15432"),), source="file:/x")
CACHE = replace(DB, host="cache.dev.test", port=6379)
WEB = Route(host="db.dev.test", targets=(parse_target("5173"),), source="file:/x")


class Scene:
    def __init__(self, folder):
        self.asked, self.restated = [], []
        self.names = RawNames(lambda source, _: self.restated.append(source), Addresses(folder / "addresses.json"))
        self.names.ask = self.asked.append

    def place(self, route):
        return (Addresses(self.names._addresses._path).of(route.host), route.port)

    def said(self, *routes):
        return self.names.over("file:/x", routes)


@pytest.fixture
def scene(tmp_path):
    made = Scene(tmp_path)
    yield made
    made.names.close()


async def test_a_route_is_starting_without_an_address_until_its_door_is_open(scene):
    web, db = scene.said(WEB, DB)
    assert (web, db.state, db.reason, db.address) == (WEB, State.STARTING, OPENING, "")
    place = scene.place(DB)
    await scene.names.start(0)
    await until(lambda: scene.asked)
    assert scene.asked == [[place]]
    scene.names.told({"open": [list(place)], "shut": []})
    assert scene.restated == ["file:/x"]
    assert scene.said(DB) == (replace(DB, address=place[0]),)


async def test_a_door_that_is_not_to_be_had_makes_the_route_unreachable_and_is_asked_for_again(scene, monkeypatch):
    monkeypatch.setattr(raw_names, "RETRY", 0.0)
    scene.said(DB)
    await scene.names.start(0)
    place = scene.place(DB)
    scene.names.told({"open": [], "shut": [[*place, "taken by nginx (pid 7)"]]})
    (db,) = scene.said(DB)
    assert (db.state, db.reason, db.address) == (State.UNREACHABLE, "taken by nginx (pid 7)", "")
    await until(lambda: scene.asked)
    assert scene.asked[-1] == [place]


async def test_the_state_of_a_service_that_is_not_live_is_not_hidden(scene):
    down = replace(DB, state=State.RESTARTING, reason="container db died")
    assert scene.said(down) == (down,)
    place = scene.place(DB)
    scene.names.told({"open": [list(place)], "shut": []})
    assert scene.said(down) == (replace(down, address=place[0]),)


async def test_nothing_is_asked_for_before_the_start(scene):
    """The doors of a control that was killed are open still; the names that come late would lose theirs."""
    place = scene.place(DB)
    scene.names.told({"open": [list(place)], "shut": []})
    assert scene.said(DB)[0].address
    assert scene.asked == []


async def test_doors_of_all_sources_are_asked_for_and_closed_with_the_last_route(scene):
    await scene.names.start(0)
    scene.said(DB)
    scene.names.over("docker", (replace(CACHE, source="docker"),))
    await until(lambda: scene.asked)
    assert sorted(scene.asked[-1]) == sorted([scene.place(DB), scene.place(CACHE)])
    scene.said()
    await until(lambda: scene.asked[-1] == [scene.place(CACHE)])


async def test_a_supervisor_that_is_busy_is_asked_again(scene, monkeypatch):
    monkeypatch.setattr(raw_names, "RETRY", 0.0)
    answers = iter([BlockingIOError()])

    def ask(places):
        for error in answers:
            raise error
        scene.asked.append(places)

    scene.names.ask = ask
    await scene.names.start(0)
    scene.said(DB)
    await until(lambda: scene.asked)


async def test_a_control_alone_says_that_nobody_binds(scene):
    scene.names.ask = None
    (db,) = scene.said(DB)
    assert (db.state, db.reason) == (State.UNREACHABLE, NOBODY)
    assert scene.said(WEB) == (WEB,)
