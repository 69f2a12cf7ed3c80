"""Bodies: however the bytes are split, the same goes on, ends at the same place, and the same is refused."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devdns_proxy.fields import trailers
from devdns_proxy.framing import Chunked, FramingRefused, Sized, UntilClose


def run(body, pieces):
    """Feeds the pieces; what goes on, and what is left over (None when the end was not reached)."""
    out, rest = b"", None
    for piece in pieces:
        if body.done:
            rest += piece
            continue
        passed, left = body.feed(piece)
        out += passed
        if body.done:
            rest = left
    return out, rest


def split(data: bytes, cuts) -> list[bytes]:
    points = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[one:two] for one, two in pairwise(points)]


SPLITS = st.lists(st.integers(0, 10_000), max_size=30)
CHUNKS = st.lists(st.binary(min_size=1, max_size=40), max_size=6)
EXTENSIONS = st.sampled_from([b"", b";a", b";a=b", b' ; a="q;\\"\xff"', b";a;b=c"])
TRAILER = st.sampled_from([b"", b"Checksum: 1\r\n", b"A: b\r\nC:\r\n"])


def written(chunks, extension=b"", trailer=b"") -> bytes:
    return b"".join(b"%x%b\r\n%b\r\n" % (len(each), extension, each) for each in chunks) + b"0\r\n" + trailer + b"\r\n"


@given(CHUNKS, EXTENSIONS, TRAILER, SPLITS)
def test_a_chunked_body_goes_on_whole_however_it_is_split(chunks, extension, trailer, cuts):
    data = written(chunks, extension, trailer) + b"GET /next"
    assert run(Chunked(), split(data, cuts)) == (written(chunks, b"", trailer), b"GET /next")
    assert run(Chunked(payload_only=True), split(data, cuts)) == (b"".join(chunks), b"GET /next")


SOUP = st.lists(st.sampled_from([b"0", b"5", b"a", b"\r", b"\n", b"\r\n", b";", b"=", b'"', b":", b" ", b"A: b"])).map(
    b"".join
)


@given(SOUP | st.binary(max_size=60), SPLITS)
def test_any_bytes_give_one_result_for_every_split(data, cuts):
    def outcome(pieces):
        try:
            return run(Chunked(), pieces)
        except FramingRefused:
            return "refused"

    assert outcome([data]) == outcome(split(data, cuts))


@given(st.binary(max_size=60), st.integers(0, 60), SPLITS)
def test_a_sized_body_ends_where_it_says(data, length, cuts):
    passed, rest = run(Sized(length), split(data, cuts)) if length else (b"", data)
    assert passed == data[:length]
    assert rest == (data[length:] if len(data) >= length else None) or (not data and not length)


REFUSED = [
    b"\r\n",
    b"x\r\n",
    b"0x5\r\n",
    b"+5\r\n",
    b"-1\r\n",
    b" 5\r\n",
    b"5 \r\n",
    b"5\n",
    b"5\r\r\n",
    b"1" * 16 + b"\r\n",
    b"5;\r\n",
    b"5;=a\r\n",
    b"5;a=\r\n",
    b'5;a="x\r\n',
    b"5;a\x00\r\n",
    b"5;a\nb\r\n",
    b"5_0\r\n",
    b"5,5\r\n",
    b"1\r\nab\r\n",
    b"1\r\na\n",
    b"1\r\na\r\r\n",
    b"1\r\na0\r\n\r\n",
    b"0\r\nBad Name: x\r\n\r\n",
    b"0\r\n folded\r\n\r\n",
    b"0\r\nA: b\nC: d\r\n\r\n",
    b"0\r\nA : b\r\n\r\n",
    b"0\r\nA: \0\r\n\r\n",
    b";" + b"a" * 2_000,
    b"5;" + b"a" * 2_000,
    b"0\r\nA: " + b"b" * 9_000,
]


@pytest.mark.parametrize("data", REFUSED)
@pytest.mark.parametrize("step", [1, 7, 10_000])
def test_a_broken_chunk_is_refused(data, step):
    body = Chunked()
    with pytest.raises(FramingRefused):
        run(body, [data[at : at + step] for at in range(0, len(data), step)])


def test_nothing_malformed_goes_on():
    body = Chunked()
    assert body.feed(b"1\r\na\r\n5;bad\x00") == (b"1\r\na\r\n", b"")
    with pytest.raises(FramingRefused):
        body.feed(b"\r\n")


def test_forbidden_trailers_are_dropped():
    section = b"Content-Length: 5\r\nChecksum: 1\r\nHost: evil\r\nX-Forwarded-For: 6\r\nX_forwarded_for: 6\r\n"
    section += b"X-Real-IP: 6\r\nX_Real_IP: 6\r\nContent_Length: 5\r\n\r\n"
    assert trailers(section) == b"Checksum: 1\r\n\r\n"
    assert trailers(b"\r\n") == b"\r\n"


def test_a_body_without_an_end_is_chunked_for_those_who_can():
    body = UntilClose(chunk=True)
    assert body.feed(b"hello") == (b"5\r\nhello\r\n", b"")
    assert body.end() == b"0\r\n\r\n"
    body = UntilClose(chunk=False)
    assert body.feed(b"hello") == (b"hello", b"")
    assert body.end() == b""
