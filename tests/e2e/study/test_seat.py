"""A task's clock: it stands still while no session runs, and ends the task at its limit whether anybody asks or not."""

import asyncio
from contextlib import asynccontextmanager

import aiohttp
import pytest
from support.containers import IMAGE
from support.stack import open_folder
from support.waiting import until

from devdns_study.errors import StudyRefused
from devdns_study.instrument import PARAMETERS, card
from devdns_study.plan import Plan
from devdns_study.responses import Response
from devdns_study.rows import import_rows
from devdns_study.session.seat import Venue, seat
from devdns_study.session.server import serve
from devdns_study.store import Store

PLAN = Plan(1, ("ports",), ("clash",), 2, tuple((key, "x") for key in sorted(PARAMETERS)))
LIMIT = card("clash").limit


@pytest.fixture
def place():
    with open_folder() as folder, Store.opened(folder / "study.sqlite", create=True) as store:
        store.keep_plan(PLAN)
        yield store, Venue(folder / "scenes", IMAGE)


def at_the_task(store, venue):
    taken = seat(store, "P01", venue, synthetic=True)
    store.answer("P01", "", "consent", {"consent": "yes"})
    while taken.step.kind != "task":
        store.pass_step("P01", taken.step.key)
    return taken


async def test_the_limit_ends_a_task(place):
    store, venue = place
    taken = at_the_task(store, venue)
    store.clock("P01", "ports", "clash", LIMIT - 0.2)
    assert taken.stopped()
    await taken.start()
    await until(lambda: not taken.running)
    await taken.close()  # once the scene has ended, too
    assert store.runs("P01") == [("ports", "clash", LIMIT, "timeout", True)]
    assert taken.step.key == "seq/ports/clash"


async def test_the_clock_goes_on_from_where_a_session_was_stopped(place):
    store, venue = place
    taken = at_the_task(store, venue)
    await taken.start()
    assert not store.runs("P01")[0][4]
    await taken.close()
    before = store.runs("P01")[0][2]
    again = seat(store, "P01", venue, synthetic=True)
    assert again.stopped()
    await again.start()
    assert before <= again.seconds < before + 60
    await again.finish(gave_up=True, answer="")
    ((_, _, seconds, outcome, interrupted),) = store.runs("P01")
    assert (outcome, interrupted) == ("gave-up", True)
    assert seconds >= before - 0.001  # stored to the millisecond


def test_who_cannot_sit_down_is_told_why(place):
    store, venue = place
    import_rows(store, [Response("P02", "ports", True)], "paper.csv")
    with pytest.raises(StudyRefused, match=r"P02 has answers from 'paper.csv' already"):
        seat(store, "P02", venue, synthetic=False)
    seat(store, "P01", venue, synthetic=True)
    with pytest.raises(StudyRefused, match="P01 began with --synthetic"):
        seat(store, "P01", venue, synthetic=False)


def test_a_study_whose_sheets_lack_a_word_asks_nobody(place):
    _, venue = place
    with Store.opened(venue.folder.parent / "other.sqlite", create=True) as store:
        with pytest.raises(StudyRefused, match="there is no plan yet"):
            seat(store, "P01", venue, synthetic=False)
        store.keep_plan(Plan(1, ("ports",), ("clash",), 2))
        with pytest.raises(StudyRefused, match="needs the word"):
            seat(store, "P01", venue, synthetic=False)
        assert store.participants() == {}


async def test_a_fault_of_ours_is_a_page_and_a_note_and_the_session_goes_on(place):
    store, venue = place
    taken = at_the_task(store, venue)
    (venue.folder / "P01").mkdir(parents=True)
    (venue.folder / "P01" / "ports-clash").symlink_to(
        venue.folder
    )  # where the scene goes, and cannot be removed as a folder
    async with asked(taken) as ask:
        status, text = await ask("POST", "start", {"step": taken.step.key})
        assert status == 500
        assert "It is noted in" in text
        assert "Traceback" in (venue.folder / "trouble.log").read_text()
        (venue.folder / "P01" / "ports-clash").unlink()
        status, text = await ask("POST", "start", {"step": taken.step.key})
        assert (status, "Give up" in text) == (200, True)


@asynccontextmanager
async def asked(taken):
    """The session's server, asked by a client as a browser would."""
    urls, stop = asyncio.Queue(), asyncio.Event()
    serving = asyncio.create_task(serve(taken, 0, urls.put_nowait, stop))
    url = await urls.get()

    async def ask(method, path, fields):
        async with aiohttp.ClientSession() as client, client.request(method, url + path, data=fields) as reply:
            return reply.status, await reply.text()

    yield ask
    stop.set()
    assert await serving is False
