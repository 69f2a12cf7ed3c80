"""Frames of leaves: any split of the bytes gives the same ones, other bytes are refused, and a key is in no `repr`."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devdns.core.errors import FrameRefused
from devdns.core.leaves import MAX_BYTES, MOST_LEAVES, Ask, Leaf, LeafReader, Leaves, Refused, encode

LEAF = Leaf(("dev.test", "*.dev.test"), "-----BEGIN CERTIFICATE-----\n", "secret", 1_800_000_000.5)
FRAMES = [Leaves((LEAF, LEAF)), Leaves(()), LEAF, Ask("a.b.dev.test"), Refused("a.b.dev.test", "too many")]


@given(st.lists(st.sampled_from(FRAMES), max_size=6), st.lists(st.integers(0, 2_000), max_size=12))
def test_frames_survive_any_split(sent, cuts):
    data = b"".join(map(encode, sent))
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    reader, heard = LeafReader(), []
    for start, end in itertools.pairwise(edges):
        heard += reader.feed(data[start:end])
    assert heard == sent


@given(st.binary(max_size=200))
def test_other_bytes_are_refused_or_waited_for(data):
    reader = LeafReader()
    try:
        heard = list(reader.feed(data))
    except FrameRefused:
        heard = []
    assert all(isinstance(frame, Leaves | Leaf | Ask | Refused) for frame in heard)


@pytest.mark.parametrize(
    "data",
    [
        (MAX_BYTES + 1).to_bytes(4, "big"),
        b"\x00\x00\x00\x01\xc0",
        encode(Ask("a")).replace(b"ask", b"axe"),
        encode(Ask("a" * 254)),
        encode(Leaves((LEAF,) * (MOST_LEAVES + 1))),
    ],
)
def test_what_is_no_frame_is_refused(data):
    with pytest.raises(FrameRefused):
        list(LeafReader().feed(data))


def test_a_reader_may_be_held_to_less():
    with pytest.raises(FrameRefused, match="over 64"):
        list(LeafReader(64).feed(encode(LEAF)))


def test_a_frame_over_the_bound_is_not_made():
    with pytest.raises(FrameRefused, match="is over"):
        encode(Refused("a", "x" * MAX_BYTES))


@pytest.mark.parametrize(
    ("host", "covered"),
    [
        ("dev.test", True),
        ("api.dev.test", True),
        ("a.api.dev.test", False),
        ("test", False),
        ("xdev.test", False),
    ],
)
def test_a_wildcard_stands_for_one_label(host, covered):
    assert LEAF.covers(host) is covered


def test_a_key_is_in_no_log():
    assert "secret" not in repr(LEAF)
    assert "secret" not in repr(Leaves((LEAF,)))
