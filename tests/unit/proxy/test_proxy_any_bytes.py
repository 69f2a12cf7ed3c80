"""Whatever the bytes: heads are read or refused, never anything else, and the parts agree with the grammar as a whole."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devdns.core.names import Zones
from devdns_proxy.fields import BLOCK, HeadRefused
from devdns_proxy.heads import REQUEST_LINE, form, read_block, refuse_line
from devdns_proxy.memo import ENTRIES, ENTRY_BYTES, Memo
from devdns_proxy.places import Origin
from devdns_proxy.replies import ReplyRefused, read_reply

ORIGIN = Origin("127.0.0.1", "i-test", Zones())
PIECES = b"""Host: api.dev.test|Host|:| |X-A: b|Connection: |close|upgrade|Upgrade: h2c|Upgrade: foo|Content-Length: |5|Transfer-Encoding: chunked
|Expect: 100-continue|_|,|Devdns-Hop: i-test|X-Request-ID: |Forwarded: for=x|*|[::1]|.|-|HTTP/1.1 200 OK|Date: d|Cookie: a""".split(
    b"|"
)
CONTROLS = [b"\r\n", b"\r\n", b"\r\n", b"\t", b"\r", b"\n", b"\0", b"\xff"]
SOUP = st.lists(st.sampled_from([*PIECES, *CONTROLS]) | st.binary(max_size=3), max_size=14).map(b"".join)
LINES = st.lists(
    st.sampled_from(PIECES) | st.sampled_from(PIECES).map(lambda piece: piece + b" x, close"), max_size=8
).map(b"\r\n".join)
BLOCKS = SOUP | LINES | LINES.map(lambda lines: b"Host: api.dev.test\r\n" + lines)
MINOR = st.sampled_from([b"0", b"1"])


def block_of(soup: bytes) -> bytes:
    """What the connection hands over: up to the first empty line, its end included."""
    return (soup + b"\r\n\r\n").partition(b"\r\n\r\n")[0] + b"\r\n\r\n"


@given(BLOCKS, MINOR)
def test_a_block_is_read_or_refused(soup, minor):
    block = block_of(soup)
    try:
        meaning = read_block(block, minor, ORIGIN)
    except HeadRefused:
        return
    assert BLOCK.fullmatch(block)
    assert BLOCK.fullmatch(meaning.fields + b"\r\n")
    assert meaning == read_block(block, minor, ORIGIN)
    assert meaning.fields.count(b"Devdns-Hop: ") == 1


@given(BLOCKS, MINOR)
def test_what_goes_on_means_the_same_to_the_next_parser(soup, minor):
    try:
        first = read_block(block_of(soup), minor, ORIGIN)
    except HeadRefused:
        return
    sent = b"Host: " + first.authority + b"\r\n" + first.fields + b"\r\n"
    second = read_block(sent, b"1", Origin("127.0.0.1", "other", Zones()))
    framing = (first.host, first.length, first.chunked, first.expect, first.upgrade, first.request_id)
    assert framing == (second.host, second.length, second.chunked, second.expect, second.upgrade, second.request_id)


@given(st.binary(max_size=60) | SOUP)
def test_a_request_line_is_taken_or_refused(data):
    line = REQUEST_LINE.match(data)
    if line is None:
        assert refuse_line(data).status in (400, 505)
        return
    try:
        sent = form(line[1], line[2], b"api.dev.test")
    except HeadRefused:
        return
    assert REQUEST_LINE.fullmatch(b"%b %b HTTP/1.1\r\n" % (line[1], sent))


@given(BLOCKS, st.booleans())
def test_a_response_head_is_read_or_refused(soup, status_line):
    data = (b"HTTP/1.1 200 OK\r\n" if status_line else b"") + block_of(soup)
    try:
        reply = read_reply(data)
    except ReplyRefused:
        return
    again = read_reply(reply.head + b"\r\n")
    assert again.head == reply.head
    assert again.length == reply.length


@pytest.mark.parametrize("size", [ENTRY_BYTES, ENTRY_BYTES + 1])
def test_the_memo_is_bounded(size):
    memo: Memo[int, int] = Memo()
    for number in range(ENTRIES + 1):
        memo.put(number, size, number)
    assert len(memo) == (1 if size == ENTRY_BYTES else 0)
    assert memo.get(0) is None
