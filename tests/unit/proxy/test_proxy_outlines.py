"""What is remembered of the lines and outlines of heads never shows: a head means the same cold and warm."""

from __future__ import annotations

import os

from hypothesis import example, given
from hypothesis import strategies as st

from devdns.core.names import Zones
from devdns_proxy.fields import HeadRefused
from devdns_proxy.heads import OUTLINES, read_block
from devdns_proxy.kinds import KINDS, MAX_LINES, MAX_REMEMBERED
from devdns_proxy.memo import ENTRIES
from devdns_proxy.places import Origin

ORIGINS = (Origin("127.0.0.1", "i", Zones()), Origin("::1", "i", Zones()))
HOST = b"Host: api.dev.test"
LINES = [
    HOST,
    b"host: www.dev.test:8080",
    b"Connection: keep-alive",
    b"Connection: close",
    b"Connection: X-Mine",
    b"Connection: upgrade, x-other",
    b"X-Mine: 1",
    b"X-Mine: 2",
    b"X-Other: 1",
    b"Upgrade: websocket",
    b"Sec-WebSocket-Key: a",
    b"Sec-WebSocket-Key: b",
    b"X-Request-ID: r-1",
    b"X-Request-ID: not one",
    b"X_Forwarded_For: evil",
    b"X-Forwarded-Proto: evil",
    b"Devdns-Hop: i",
    b"Devdns-Hop: another",
    b"Content-Length: 3",
    b"Transfer-Encoding: chunked",
    b"Expect: 100-continue",
    b"TE: trailers",
    b"Accept: */*",
    b"A folded: line",
]
HEADS = st.tuples(
    st.lists(st.sampled_from(LINES), max_size=8).flatmap(lambda lines: st.permutations([HOST, *lines])),
    st.sampled_from([b"0", b"1"]),
    st.sampled_from(ORIGINS),
)


def meaning(head):
    lines, minor, origin = head
    try:
        return read_block(b"\r\n".join(lines) + b"\r\n\r\n", minor, origin)
    except HeadRefused as refused:
        return refused.status, refused.reason


def cold(head):
    KINDS.clear()
    OUTLINES.clear()
    return meaning(head)


@given(st.lists(HEADS, max_size=12))
@example(
    [([HOST, b"Connection: X-Mine"], b"1", ORIGINS[0]), ([HOST, b"Connection: X-Mine", b"X-Mine: 1"], b"1", ORIGINS[0])]
)
@example([([HOST, b"X-Mine: 1"], b"1", ORIGINS[0]), ([b"X-Mine: 2", HOST], b"1", ORIGINS[1])])
def test_a_head_means_the_same_cold_and_warm(heads):
    KINDS.clear()
    OUTLINES.clear()
    for head in heads:
        meaning(head)
    warm = [meaning(head) for head in heads]
    assert warm == [cold(head) for head in heads]


def test_a_line_that_never_repeats_leaves_one_outline():
    OUTLINES.clear()
    for number in range(3 * ENTRIES):
        read_block(b"%b\r\nX-Trace: %d\r\n\r\n" % (HOST, number), b"1", ORIGINS[0])
    assert len(OUTLINES) == 1
    assert len(KINDS) <= ENTRIES


def test_what_is_remembered_is_bounded():
    KINDS.clear()
    OUTLINES.clear()
    for _ in range(2 * ENTRIES):
        read_block(HOST + b"\r\nX-Request-ID: " + os.urandom(8).hex().encode() + b"\r\n\r\n", b"1", ORIGINS[0])
    assert len(KINDS) <= ENTRIES
    assert len(OUTLINES) <= ENTRIES
    KINDS.clear()
    OUTLINES.clear()
    read_block(HOST + b"\r\nX: " + b"x" * MAX_REMEMBERED + b"\r\n\r\n", b"1", ORIGINS[0])
    read_block(b"\r\n".join([HOST] + [b"a:"] * MAX_LINES) + b"\r\n\r\n", b"1", ORIGINS[0])
    assert len(KINDS) == len(OUTLINES) == 0
