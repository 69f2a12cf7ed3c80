"""The server of snapshots.sock, asked by the very follower the resolver and the proxy use."""

import asyncio

import pytest
from support.control import Tail, route, unix_listener
from support.waiting import until

from devdns.control import peers
from devdns.control.snapshots import Snapshots
from devdns.core.config import Config
from devdns.core.figures import Family, Sample
from devdns.core.frames import SLICE, VERSION, Figures, Hello, Resync, Slice
from devdns.core.routes import Change
from devdns.core.store import RouteStore

HELLO = Hello(VERSION, "instance-1", Config(), (("127.0.0.1", 8080),))


def many(count, target="1"):
    return [route(f"n{number}", target) for number in range(count)]


class Served:
    """A store behind a real socket; `replace` publishes as control does."""

    def __init__(self, most_owed=8 << 20):
        self.store = RouteStore()
        self.snapshots = Snapshots(HELLO, lambda: self.store.table, most_owed)

    def replace(self, routes):
        change = self.store.replace("manual", routes)
        if change:
            self.snapshots.publish(change)
        return change


@pytest.fixture
async def served(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    served = Served()
    await served.snapshots.start(unix_listener("snapshots.sock"))
    yield served
    await served.snapshots.stop()


def equal(served):
    """The follower has exactly the store's table."""
    return lambda view: (
        view.table.generation == served.store.table.generation and set(view.table) == set(served.store.table)
    )


async def test_an_empty_table_is_told_as_such(served):
    async with Tail() as tail:
        await tail.until(lambda _: tail.follower.complete)
    assert tail.view.hello == HELLO
    assert [type(frame).__name__ for frame in tail.frames] == ["Hello", "Slice"]


async def test_a_large_table_comes_in_slices(served):
    served.replace(many(2_500))
    async with Tail() as tail:
        await tail.until(equal(served))
    assert [len(frame.routes) for frame in tail.frames if isinstance(frame, Slice)] == [SLICE, SLICE, 500]


async def test_every_follower_gets_each_change(served):
    async with Tail() as one, Tail() as two:
        for tail in (one, two):
            await tail.until(lambda _, tail=tail: tail.follower.complete)
        served.replace(many(3))
        served.replace(many(2))
        for tail in (one, two):
            await tail.until(equal(served))
            assert [frame.generation for frame in tail.frames if isinstance(frame, Change)] == [1, 2]


async def test_changes_during_a_table_wait_behind_it(served):
    served.replace(many(5_000))
    async with Tail() as tail:
        await tail.until(lambda _: any(isinstance(frame, Slice) for frame in tail.frames))
        served.replace(many(4_999))
        served.replace(many(4_998))
        await tail.until(equal(served))
    kinds = [type(frame).__name__ for frame in tail.frames]
    assert kinds == ["Hello", *["Slice"] * 5, "Change", "Change"]


async def test_a_change_too_big_for_a_frame_is_told_as_a_table(served):
    async with Tail() as tail:
        await tail.until(lambda _: tail.follower.complete)
        served.replace(many(SLICE + 1))
        await tail.until(equal(served))
    assert not any(isinstance(frame, Change) for frame in tail.frames)


async def test_a_big_change_during_a_table_ends_with_the_right_table(served):
    served.replace(many(5_000))
    async with Tail() as tail:
        await tail.until(lambda _: any(isinstance(frame, Slice) for frame in tail.frames))
        served.replace(many(3_000, "2"))
        served.replace(many(2_999, "2"))
        await tail.until(equal(served))


async def test_a_follower_that_missed_something_asks_for_the_table(served):
    served.replace(many(10))
    async with Tail() as tail:
        await tail.until(equal(served))
        tail.follower.restart()
        tail.say(Resync())
        served.replace(many(11))
        await tail.until(equal(served))


@pytest.mark.parametrize("junk", [b"\xff\xff\xff\xff", b"\x00\x00\x00\x01\xc1", b"GET / HTTP/1.1\r\n\r\n"])
async def test_a_follower_that_talks_nonsense_is_dropped_and_others_are_not(served, junk):
    async with Tail() as good, Tail() as bad:
        bad.writer.write(junk)
        with pytest.raises((EOFError, OSError)):
            await bad.until(lambda _: False)
        served.replace(many(1))
        await good.until(equal(served))


async def test_a_follower_that_sends_frames_of_ours_is_dropped(served):
    async with Tail() as tail:
        tail.say(HELLO)
        with pytest.raises((EOFError, OSError)):
            await tail.until(lambda _: False)


async def test_one_that_does_not_read_is_dropped_at_a_bound(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    served = Served(most_owed=1 << 20)
    await served.snapshots.start(unix_listener("snapshots.sock"))
    reader, writer = await asyncio.open_unix_connection("snapshots.sock", limit=1)
    writer.transport.pause_reading()
    await until(lambda: served.snapshots.following)
    async with Tail() as tail:
        await tail.until(lambda _: tail.follower.complete)
        for turn in range(30):
            served.replace(many(900, str(turn + 1)))
            await tail.until(equal(served))
        assert len(served.snapshots.following) == 1
    writer.close()
    await served.snapshots.stop()
    assert reader.at_eof() is False


async def test_one_that_leaves_in_the_middle_of_a_table_is_forgotten(served):
    served.replace(many(20_000))
    async with Tail() as tail:
        await tail.until(lambda _: any(isinstance(frame, Slice) for frame in tail.frames))
    await until(lambda: not served.snapshots.following)
    async with Tail() as tail:
        await tail.until(equal(served))


async def test_only_trusted_users_may_follow(served, monkeypatch):
    monkeypatch.setattr(peers, "trusted", lambda uid: uid is None)
    async with Tail() as tail:
        with pytest.raises((EOFError, OSError)):
            await tail.until(lambda _: False)
    assert tail.frames == []


async def test_stop_hangs_up_on_everybody(served):
    async with Tail() as tail:
        await tail.until(lambda _: tail.follower.complete)
        await served.snapshots.stop()
        with pytest.raises((EOFError, OSError)):
            await tail.until(lambda _: False)


async def test_figures_are_held_while_their_teller_follows(served):
    figures = Figures("resolver", (Family("devdns_dns_cached_replies", "gauge", "Kept.", (Sample(3),)),))
    async with Tail() as tail:
        await tail.until(lambda _: tail.follower.complete)
        tail.say(Figures("resolver", ()))
        tail.say(figures)
        await until(lambda: served.snapshots.told.families() == figures.families)
        served.replace(many(1))
        await tail.until(equal(served))
    await until(lambda: not served.snapshots.told.families())


@pytest.mark.parametrize(
    "family",
    [
        Family("devdns_x 1\nforged", "counter", "x"),
        Family("routes", "counter", "x"),
        Family("devdns_x", "counter", "x" * 201),
        Family("devdns_x", "counter", "x", (Sample(1, (('a="b",c', "d"),)),)),
        Family("devdns_x", "counter", "x", (Sample(1),) * 2_001),
    ],
)
async def test_figures_that_could_forge_or_flood_end_the_connection(served, family):
    async with Tail() as tail:
        await tail.until(lambda _: tail.follower.complete)
        tail.say(Figures("resolver", (family,)))
        with pytest.raises((EOFError, ConnectionResetError)):
            await tail.until(lambda _: False)
    assert not served.snapshots.told.families()


async def test_a_change_over_a_frame_is_told_as_a_table(served):
    async with Tail() as tail:
        await tail.until(lambda _: tail.follower.complete)
        wide = [f"a-long-host-name-{number}.internal.example.com:80" for number in range(400)]
        served.replace([route(f"n{number}", wide) for number in range(900)])
        await tail.until(equal(served), bound=20)
        served.replace([route("api")])
        await tail.until(equal(served))


async def test_a_follower_that_cannot_be_told_is_dropped_and_not_left_alone(served):
    async with Tail() as tail:
        await tail.until(lambda _: tail.follower.complete)
        table, served.snapshots.table = served.snapshots.table, lambda: None
        tail.say(Resync())
        with pytest.raises((EOFError, ConnectionResetError)):
            await tail.until(lambda _: False)
    served.snapshots.table = table
    async with Tail() as tail:
        await tail.until(equal(served))
