"""Frames: any split of the bytes gives the same frames, and a follower ends with control's table or asks for it."""

import itertools

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from devdns.core.errors import FrameRefused
from devdns.core.frames import (
    MAX_FRAME,
    SLICE,
    SLICE_BYTES,
    VERSION,
    Follower,
    FrameReader,
    Hello,
    Resync,
    Slice,
    TableView,
    encode,
    encoded,
    slices,
)
from devdns.core.names import Claim
from devdns.core.routes import Change, Options, Route, RouteTable, State, Target
from devdns.core.settings import Config, DnsConfig, HttpConfig

HELLO = Hello(
    VERSION,
    "instance",
    Config(
        ("dev.test", "b.test"),
        dns=DnsConfig(listen=(("::1", 53),), forward=("1.1.1.1:53",)),
        http=HttpConfig(listen=(("127.0.0.1", 0),)),
    ),
    (("127.0.0.1", 8080),),
)


def route(host, port=1):
    return Route(
        host=host,
        prefix="/v2",
        targets=(Target("127.0.0.1", port), Target("", 0, path="/run/x")),
        source="docker",
        owner="web",
        origin="container web-1, label dev.route",
        state=State.RESTARTING,
        reason="it was stopped",
        options=Options(strip=True, hold=1.5),
    )


FRAMES = [
    HELLO,
    Slice(3, (route("a"), route("b")), last=False),
    Slice(3, (), last=True),
    Change(4, (Claim("a", "/v2"),), (route("ü"),)),
    Resync(),
]
frames = st.lists(st.sampled_from(FRAMES), max_size=6)


@given(frames, st.lists(st.integers(0, 2_000), max_size=12))
def test_frames_survive_any_split(sent, cuts):
    data = b"".join(map(encode, sent))
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    reader, heard = FrameReader(), []
    for start, end in itertools.pairwise(edges):
        heard += reader.feed(data[start:end])
    assert heard == sent


def test_frames_survive_byte_by_byte():
    reader = FrameReader()
    assert [frame for byte in b"".join(map(encode, FRAMES)) for frame in reader.feed(bytes((byte,)))] == FRAMES


@given(st.binary(max_size=200))
def test_other_bytes_are_refused_or_waited_for(data):
    reader = FrameReader()
    try:
        heard = list(reader.feed(data))
    except FrameRefused:
        heard = []
    assert all(isinstance(frame, Hello | Slice | Change | Resync) for frame in heard)


@pytest.mark.parametrize(
    "data",
    [
        (MAX_FRAME + 1).to_bytes(4, "big"),
        b"\xff\xff\xff\xff",
        b"\x00\x00\x00\x00",
        b"\x00\x00\x00\x01\xc0",
        b"\x00\x00\x00\x02{}",
        encode(Resync()).replace(b"resync", b"unsync"),
        len(body := msgspec.msgpack.encode({"type": "slice", "generation": "x"})).to_bytes(4, "big") + body,
    ],
)
def test_what_is_no_frame_is_refused(data):
    with pytest.raises(FrameRefused):
        list(FrameReader().feed(data))


def test_a_frame_over_the_bound_is_not_made():
    with pytest.raises(FrameRefused, match="is over"):
        encode(Hello(VERSION, "x" * MAX_FRAME, Config()))


@pytest.mark.parametrize(("count", "parts"), [(0, [0]), (1, [1]), (SLICE, [SLICE]), (SLICE + 1, [SLICE, 1])])
def test_a_table_in_slices(count, parts):
    cut = list(slices(RouteTable((route(f"h{number}") for number in range(count)), 7)))
    assert [len(each.routes) for each in cut] == parts
    assert [each.last for each in cut] == [False] * (len(parts) - 1) + [True]
    assert {each.generation for each in cut} == {7}


def follower():
    view = TableView()
    return view, Follower(view)


def told(follow, *sent):
    """What the follower asks after each frame."""
    return [follow.take(frame) for frame in sent]


def hosts(view):
    return sorted(view.table.hosts())


def test_a_follower_takes_hello_table_and_changes():
    view, follow = follower()
    assert told(follow, HELLO, Slice(3, (route("a"),), last=False)) == [None, None]
    assert (view.hello, hosts(view), follow.complete) == (HELLO, [], False)
    assert told(follow, Slice(3, (route("b"),), last=True), Change(4, (Claim("a", "/v2"),), (route("c"),))) == [
        None,
        None,
    ]
    assert (hosts(view), view.table.generation, follow.complete) == (["b", "c"], 4, True)


def test_a_gap_asks_for_the_table_once_and_keeps_the_old_one_until_the_new_is_whole():
    view, follow = follower()
    told(follow, Slice(3, (route("a"),), last=True))
    assert told(follow, Change(5, (), (route("b"),)), Change(6, (), (route("c"),))) == [Resync(), None]
    told(follow, Slice(6, (route("x"),), last=False))
    assert hosts(view) == ["a"]
    told(follow, Slice(6, (route("y"),), last=True), Change(7, (), (route("z"),)))
    assert hosts(view) == ["x", "y", "z"]
    assert follow.complete


def test_a_new_connection_keeps_the_table_until_the_new_one_is_whole():
    view, follow = follower()
    told(follow, Slice(3, (route("a"),), last=True), Slice(9, (route("b"),), last=False))
    follow.restart()
    told(follow, HELLO, Change(4, (), (route("ignored"),)), Slice(1, (route("c"),), last=True))
    assert (hosts(view), view.table.generation) == (["c"], 1)


def test_another_version_is_refused_with_the_mend():
    _, follow = follower()
    with pytest.raises(FrameRefused, match="control speaks frames of version 2, this part 1 - restart devdns"):
        follow.take(Hello(VERSION + 1, "i", Config()))


def test_a_table_is_swapped_whole_so_that_a_reader_keeps_what_it_took():
    view, follow = follower()
    told(follow, Slice(3, (route("a"),), last=True))
    held = view.table
    told(follow, Change(4, (Claim("a", "/v2"),), (route("b"),)))
    assert list(held.hosts()) == ["a"]
    assert view.table is not held


@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans(), st.booleans()), max_size=20))
def test_a_follower_that_loses_changes_ends_with_the_table_of_control(steps):
    table = RouteTable()
    view, follow = follower()
    told(follow, *slices(table))
    for host, removed, lost in steps:
        claim = Claim(host, "/v2")
        generation = table.generation + 1
        change = Change(generation, (claim,)) if removed else Change(generation, (), (route(host, generation),))
        table = table.apply(change)
        if not lost and follow.take(change) == Resync():
            told(follow, *slices(table))
    told(follow, *slices(table))
    assert sorted(view.table, key=str) == sorted(table, key=str)
    assert view.table.generation == table.generation


def large(host, targets):
    wide = tuple(Target(f"a-long-host-name-{number}.internal.example.com", 80) for number in range(targets))
    return Route(host=host, targets=wide, source="manual")


def test_a_table_is_cut_by_bytes_too_and_arrives_whole():
    table = RouteTable([large(f"n{number}.dev.test", 400) for number in range(200)])
    frames = list(encoded(table, pytest.fail))
    assert max(map(len, frames)) <= SLICE_BYTES + 4
    view, follow = follower()
    told(follow, *(frame for data in frames for frame in FrameReader().feed(data)))
    assert follow.complete
    assert set(view.table) == set(table)


def test_a_route_too_large_for_a_frame_is_left_out_and_the_others_arrive():
    table, out = RouteTable([route("a"), large("b", 400_000), route("c")]), []
    view, follow = follower()
    told(follow, *(frame for data in encoded(table, out.append) for frame in FrameReader().feed(data)))
    assert ([each.host for each in out], hosts(view), follow.complete) == (["b"], ["a", "c"], True)
