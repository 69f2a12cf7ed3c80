"""Heads and trailers, from HTTP/1.1 into HTTP/2 and back."""

import pytest
from hpack import Decoder
from hypothesis import given
from hypothesis import strategies as st

from devdns_proxy.framing import Chunked, Sized
from devdns_proxy.h2up.words import asked, told, told_last, trailing
from devdns_proxy.replies import ReplyRefused, read_reply

HEAD = b"POST /a?b HTTP/1.1\r\nHost: api.dev.test\r\n%b\r\n"
STATUS = (b":status", b"200")


def test_a_head_becomes_fields():
    found = asked(HEAD % b"Accept:  x \r\nAuthorization: b\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n", b"https")
    fields = Decoder().decode(found.block, raw=True)
    assert fields == [
        (b":method", b"POST"),
        (b":scheme", b"https"),
        (b":authority", b"api.dev.test"),
        (b":path", b"/a?b"),
        (b"accept", b"x"),
        (b"authorization", b"b"),
        (b"te", b"trailers"),
    ]
    assert not fields[5].indexable  # never in the memory of the compressor
    assert found.body is None


@pytest.mark.parametrize(
    ("lines", "kind"),
    [
        (b"Content-Length: 5\r\n", Sized),
        (b"Content-Length: 0\r\n", type(None)),
        (b"Transfer-Encoding: chunked\r\n", Chunked),
        (b"X-Length: Content-Length: 5\r\n", type(None)),
        (b"", type(None)),
    ],
)
def test_the_body_is_framed_as_the_head_says(lines, kind):
    assert type(asked(HEAD % lines, b"http").body) is kind


def test_a_trailer_section_becomes_fields():
    assert trailing(b"X-Sum: 1\r\nConnection: x\r\nY:\r\n\r\n") == [(b"x-sum", b"1"), (b"y", b"")]
    assert trailing(b"\r\n") == []


@pytest.mark.parametrize(
    ("fields", "ended", "length", "chunked"),
    [
        ([STATUS], True, 0, False),
        ([STATUS], False, None, True),
        ([STATUS, (b"content-length", b"5")], False, 5, False),
        ([STATUS, (b"content-length", b"5"), (b"trailer", b"x")], False, None, True),
        ([STATUS, (b"content-length", b"5"), (b"content-type", b"application/grpc+proto")], False, None, True),
        ([(b":status", b"204")], False, 0, False),
        ([(b":status", b"103")], False, None, False),
    ],
)
def test_how_long_a_response_is(fields, ended, length, chunked):
    found = told(fields, ended=ended)
    assert (found.length, found.chunked) == (length, chunked)
    reply = read_reply(found.head)
    assert (reply.chunked, reply.keep) == (chunked, True)


@pytest.mark.parametrize("status", [b"", b"20", b"2000", b"abc", b"101", b"20\r", b"\xb2\xb3\xb9"])
def test_a_status_that_is_none_is_refused(status):
    with pytest.raises(ReplyRefused):
        told([(b":status", status)], ended=True)


@pytest.mark.parametrize("fields", [[], [(b"x", b"y")], [(b"x", b"y"), STATUS], [STATUS, STATUS], [(b":path", b"200")]])
def test_a_head_begins_with_its_status_and_has_one(fields):
    with pytest.raises(ReplyRefused):
        told(fields, ended=True)


@pytest.mark.parametrize("value", [b"-1", b"+5", b"5, 5", b"0x5", b" 5", b""])
def test_a_length_that_is_none_is_refused(value):
    with pytest.raises(ReplyRefused):
        told([STATUS, (b"content-length", value)], ended=False)


@given(st.lists(st.tuples(st.binary(min_size=1), st.binary())))
def test_fields_make_as_many_lines_as_they_are_or_none(fields):
    try:
        head, last = told([STATUS, *fields], ended=False).head, told_last(fields)
    except ReplyRefused:
        return
    assert head.count(b"\r\n") <= len(fields) + 3
    assert last.count(b"\r\n") <= len(fields) + 2
    assert head.count(b"\r\n\r\n") == last.count(b"\r\n\r\n") == 1
    assert b"\0" not in head + last
