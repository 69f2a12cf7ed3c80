"""What control says of HTTP/2, and reads of it, against the codec of another library."""

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import RequestReceived
from hpack import Encoder, NeverIndexedHeaderTuple

from devdns.core import http2
from devdns.core.http2 import FRAME_HEAD, GREETING, PADDED, PRIORITY, read_frame, status

STATUSES = [200, 204, 206, 302, 304, 400, 404, 418, 500, 503, 599, 213, 999]


@pytest.mark.parametrize("path", ["/healthz", "/" + "x" * 120, "/" + "x" * 126, "/" + "y" * 5_000])
def test_a_get_is_what_a_server_reads(path):
    server = H2Connection(H2Configuration(client_side=False))
    events = server.receive_data(GREETING + http2.get(path, "api.dev.test", "http"))
    (asked,) = (each for each in events if isinstance(each, RequestReceived))
    assert dict(asked.headers)[b":path"].decode() == path
    assert dict(asked.headers)[b":authority"] == b"api.dev.test"
    assert asked.stream_ended is not None


@pytest.mark.parametrize("huffman", [True, False])
@pytest.mark.parametrize("code", STATUSES)
def test_every_status_is_read(code, huffman):
    encoder, fields = Encoder(), [(b":status", b"%d" % code), (b"x", b"y")]
    for _ in range(2):  # the second time of a status that is not in the static table is beyond what is read here
        block = Encoder().encode(fields, huffman=huffman)
        assert status(0, block) == code
    never = Encoder().encode([NeverIndexedHeaderTuple(b":status", b"%d" % code)], huffman=huffman)
    assert status(0, never) == code
    assert status(PADDED | PRIORITY, b"\0" + bytes(5) + block) == code
    encoder.header_table_size = 100
    assert status(0, encoder.encode(fields, huffman=huffman)) == code


@pytest.mark.parametrize(
    "block",
    [b"", b"\x48", b"\x48\x03", b"\x48\x03abc", b"\x48\x82\xff\xff", b"\x3f", b"\x3f\xff\xff", b"\xbe", b"\x01\x00"],
)
def test_what_is_no_status_is_none(block):
    assert status(0, block) == 0


def test_frames_are_read_as_they_are_written():
    whole = http2.frame(http2.HEADERS, 5, 7, b"abc")
    found = read_frame(whole[:FRAME_HEAD])
    assert (found.length, found.kind, found.flags, found.stream) == (3, http2.HEADERS, 5, 7)
    with pytest.raises(ValueError, match="no HTTP/2"):
        read_frame(b"HTTP/1.1 ")
