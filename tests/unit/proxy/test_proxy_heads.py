"""Request heads: what is refused, what goes on, and that a remembered head means what a read one means."""

from __future__ import annotations

import pytest

from devdns.core.names import Zones
from devdns_proxy.fields import HeadRefused
from devdns_proxy.heads import REQUEST_LINE, form, read_block, refuse_line
from devdns_proxy.places import Origin
from devdns_proxy.replies import websocket_accept

ORIGIN = Origin("127.0.0.1", "i-test", Zones())
HOST = b"Host: api.dev.test\r\n"


def meaning(fields: bytes, minor: bytes = b"1", origin: Origin = ORIGIN):
    return read_block(fields + b"\r\n", minor, origin)


def lines(fields: bytes, **options) -> list[bytes]:
    return meaning(fields, **options).fields.split(b"\r\n")


REFUSED = {
    "no Host": b"Accept: a\r\n",
    "two Hosts": HOST + HOST,
    "two equal Hosts, other case": HOST + b"hOST: api.dev.test\r\n",
    "empty Host": b"Host:\r\n",
    "Host with a path": b"Host: api.dev.test/x\r\n",
    "Host with a user": b"Host: me@api.dev.test\r\n",
    "Host with two ports": b"Host: api.dev.test:80:80\r\n",
    "Host that is a list": b"Host: api.dev.test, b.dev.test\r\n",
    "Host with a port over 65535": b"Host: api.dev.test:70000\r\n",
    "Host in UTF-8": "Host: bücher.dev.test\r\n".encode(),
    "length and coding": HOST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
    "two lengths": HOST + b"Content-Length: 5\r\nContent-Length: 6\r\n",
    "two equal lengths": HOST + b"Content-Length: 5\r\nContent-Length: 5\r\n",
    "length +5": HOST + b"Content-Length: +5\r\n",
    "length 0x5": HOST + b"Content-Length: 0x5\r\n",
    "length 5,5": HOST + b"Content-Length: 5,5\r\n",
    "length -1": HOST + b"Content-Length: -1\r\n",
    "length 5 5": HOST + b"Content-Length: 5 5\r\n",
    "length empty": HOST + b"Content-Length:\r\n",
    "length of 30 digits": HOST + b"Content-Length: " + b"9" * 30 + b"\r\n",
    "length in superscript": HOST + "Content-Length: ²\r\n".encode("latin-1"),
    "folded": HOST + b"X: a\r\n b\r\n",
    "folded first": b" X: a\r\n" + HOST,
    "folded with a tab": HOST + b"X: a\r\n\tb\r\n",
    "bare LF in a value": HOST + b"X: a\nY: b\r\n",
    "bare CR in a value": HOST + b"X: a\rb\r\n",
    "bare LF at the end of a line": HOST + b"X: a\n",
    "space before the colon": HOST + b"X : a\r\n",
    "tab before the colon": HOST + b"X\t: a\r\n",
    "no colon": HOST + b"X\r\n",
    "no name": HOST + b": a\r\n",
    "NUL in a value": HOST + b"X: a\0b\r\n",
    "NUL in a name": HOST + b"X\0: a\r\n",
    "escape in a value": HOST + b"X: \x1b[2J\r\n",
    "DEL in a value": HOST + b"X: \x7f\r\n",
    "obs-text in a name": HOST + b"X\xe4: a\r\n",
    "coding xchunked": HOST + b"Transfer-Encoding: xchunked\r\n",
    "coding chunked, chunked": HOST + b"Transfer-Encoding: chunked, chunked\r\n",
    "coding twice": HOST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
    "coding gzip, chunked": HOST + b"Transfer-Encoding: gzip, chunked\r\n",
    "coding identity": HOST + b"Transfer-Encoding: identity\r\n",
    "coding empty": HOST + b"Transfer-Encoding:\r\n",
    "coding in quotes": HOST + b'Transfer-Encoding: "chunked"\r\n',
    "coding with a vertical tab": HOST + b"Transfer-Encoding: \x0bchunked\r\n",
    "coding with a parameter": HOST + b"Transfer-Encoding: chunked;q=1\r\n",
}


@pytest.mark.parametrize("fields", REFUSED.values(), ids=REFUSED.keys())
def test_a_block_with_two_readings_is_refused(fields):
    with pytest.raises(HeadRefused) as refused:
        meaning(fields)
    assert refused.value.status == 400


def test_http_10_has_no_transfer_encoding():
    with pytest.raises(HeadRefused) as refused:
        meaning(HOST + b"Transfer-Encoding: chunked\r\n", minor=b"0")
    assert refused.value.status == 400


def test_an_unknown_expectation_is_417():
    with pytest.raises(HeadRefused) as refused:
        meaning(HOST + b"Expect: 200-maybe\r\n")
    assert refused.value.status == 417


ACCEPTED_LINES = [
    (b"GET / HTTP/1.1\r\n", (b"GET", b"/", b"1")),
    (b"get /a%0d%0a//../%2F HTTP/1.0\r\n", (b"get", b"/a%0d%0a//../%2F", b"0")),
    (b"M-SEARCH * HTTP/1.1\r\n", (b"M-SEARCH", b"*", b"1")),
    (
        b"X!#$%&'*+-.^_`|~9 /\xc3\xa4?q=\"<>\\^`{|} HTTP/1.1\r\n",
        (b"X!#$%&'*+-.^_`|~9", b'/\xc3\xa4?q="<>\\^`{|}', b"1"),
    ),
]


@pytest.mark.parametrize(("line", "parts"), ACCEPTED_LINES)
def test_a_request_line_passes_as_it_came(line, parts):
    assert REQUEST_LINE.match(line).groups() == parts


REFUSED_LINES = [
    (b"GET  / HTTP/1.1\r\n", 400),
    (b"GET /  HTTP/1.1\r\n", 400),
    (b"GET / HTTP/1.1 \r\n", 400),
    (b" GET / HTTP/1.1\r\n", 400),
    (b"GET\t/ HTTP/1.1\r\n", 400),
    (b"GET /a b HTTP/1.1\r\n", 400),
    (b"GET / http/1.1\r\n", 400),
    (b"GET / HTTP/1.10\r\n", 400),
    (b"GET / HTTP/01.1\r\n", 400),
    (b"GET / HTTP/1.1\n", 400),
    (b"GET / RTSP/1.0\r\n", 400),
    (b"GET / ICE/1.0\r\n", 400),
    (b"GET /\r\n", 400),
    (b"GET /\x00 HTTP/1.1\r\n", 400),
    (b"GET /\x7f HTTP/1.1\r\n", 400),
    (b"G\xc4T / HTTP/1.1\r\n", 400),
    (b"G(T / HTTP/1.1\r\n", 400),
    (b" / HTTP/1.1\r\n", 400),
    (b"GET HTTP/1.1\r\n", 400),
    (b"GET / HTTP/1.2\r\n", 505),
    (b"GET / HTTP/2.0\r\n", 505),
    (b"PRI * HTTP/2.0\r\n", 505),
]


@pytest.mark.parametrize(("line", "status"), REFUSED_LINES)
def test_a_request_line_is_refused(line, status):
    assert REQUEST_LINE.match(line) is None
    assert refuse_line(line).status == status


FORMS = [
    (b"GET", b"/a?b", b"/a?b"),
    (b"OPTIONS", b"*", b"*"),
    (b"GET", b"http://api.dev.test/x//y?z", b"/x//y?z"),
    (b"GET", b"HTTP://API.dev.test:80/x", b"/x"),
    (b"GET", b"http://api.dev.test", b"/"),
    (b"GET", b"http://api.dev.test?q", b"/?q"),
    (b"OPTIONS", b"http://api.dev.test", b"*"),
]


@pytest.mark.parametrize(("method", "target", "sent"), FORMS)
def test_a_target_goes_on_in_origin_form(method, target, sent):
    assert form(method, target, b"api.dev.test") == sent


REFUSED_FORMS = [
    (b"GET", b"http://other.dev.test/", 400),
    (b"GET", b"http://api.dev.test:81/", 400),
    (b"GET", b"http://me@api.dev.test/", 400),
    (b"GET", b"http:///", 400),
    (b"GET", b"ftp://api.dev.test/", 400),
    (b"GET", b"*", 400),
    (b"GET", b"api.dev.test", 400),
    (b"GET", b"?x", 400),
    (b"CONNECT", b"api.dev.test:80", 405),
    (b"CONNECT", b"/", 405),
]


@pytest.mark.parametrize(("method", "target", "status"), REFUSED_FORMS)
def test_a_target_is_refused(method, target, status):
    with pytest.raises(HeadRefused) as refused:
        form(method, target, b"api.dev.test")
    assert refused.value.status == status


def test_what_the_client_spoofs_is_replaced():
    sent = lines(
        HOST
        + b"X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Host: evil\r\nX-FORWARDED-PROTO: https\r\nX-Forwarded-Port: 1\r\n"
        + b"X-Forwarded-Server: evil\r\nX_Forwarded_For: 6.6.6.6\r\nForwarded: for=6.6.6.6\r\nX-Real-IP: 6.6.6.6\r\n"
        + b"Content_Length: 5\r\nTransfer_Encoding: chunked\r\n"
    )
    assert sent == [
        b"X-Forwarded-For: 127.0.0.1",
        b"X-Forwarded-Host: api.dev.test",
        b"X-Forwarded-Proto: http",
        b"X-Forwarded-Port: 80",
        b'Forwarded: for=127.0.0.1;host="api.dev.test";proto=http',
        b"Devdns-Hop: i-test",
        b"",
    ]


def test_the_port_is_the_one_the_client_believes_in():
    sent = lines(b"Host: api.dev.test:8080\r\n")
    assert b"X-Forwarded-Port: 8080" in sent
    assert b"X-Forwarded-Host: api.dev.test:8080" in sent


def test_an_ipv6_client_is_quoted_in_forwarded():
    sent = lines(HOST, origin=Origin("::1", "i-test", Zones()))
    assert b"X-Forwarded-For: ::1" in sent
    assert b'Forwarded: for="[::1]";host="api.dev.test";proto=http' in sent


def test_fields_of_one_hop_do_not_travel():
    sent = lines(
        HOST
        + b"Connection: close, X-Mine , te\r\nX-Mine: 1\r\nKeep-Alive: 5\r\nProxy-Connection: x\r\nTE: trailers\r\n"
        + b"Proxy-Authorization: x\r\nHTTP2-Settings: x\r\nUpgrade: h2c\r\nKept: 1\r\n"
    )
    assert sent[0] == b"Kept: 1"
    assert sent[1].startswith(b"X-Forwarded-For")


def test_a_nominated_length_is_still_a_length():
    read = meaning(HOST + b"Connection: Content-Length, Host, X-Forwarded-For\r\nContent-Length: 5\r\n")
    assert read.length == 5
    assert b"\r\nContent-Length: 5\r\n" in read.fields
    assert b"X-Forwarded-For: 127.0.0.1" in read.fields


def test_everything_else_travels_as_it_came_and_in_order():
    kept = [b"cookie: a=1", b"X-A:1", b"x-a:  two \t", b"Cookie: b=\xfc\xff", b"Trailer: T", b"Empty:", b"A_b: c"]
    assert lines(HOST + b"\r\n".join(kept) + b"\r\n")[: len(kept)] == kept


KEEP = [
    (b"", b"1", True),
    (b"Connection: close\r\n", b"1", False),
    (b"Connection: Keep-Alive, CLOSE\r\n", b"1", False),
    (b"Connection: x\r\nConnection: close\r\n", b"1", False),
    (b"", b"0", False),
    (b"Connection: keep-alive\r\n", b"0", True),
    (b"Connection: keep-alive, close\r\n", b"0", False),
]


@pytest.mark.parametrize(("fields", "minor", "kept"), KEEP)
def test_whether_the_connection_is_kept(fields, minor, kept):
    assert meaning(HOST + fields, minor=minor).keep is kept


IDS = [
    (b"X-Request-ID: abc-1._Z\r\n", b"abc-1._Z"),
    (b"X-Request-ID: " + b"a" * 128 + b"\r\n", b"a" * 128),
    (b"X-Request-ID: " + b"a" * 129 + b"\r\n", b""),
    (b"X-Request-ID: a b\r\n", b""),
    (b"X-Request-ID: a\r\nX-Request-ID: a\r\n", b""),
    (b"X-Request-ID:\r\n", b""),
    (b"", b""),
]


@pytest.mark.parametrize(("fields", "kept"), IDS)
def test_a_request_id_is_kept_if_it_is_a_plain_one(fields, kept):
    read = meaning(HOST + fields)
    assert read.request_id == kept
    assert (b"X-Request-ID: " in read.fields) is bool(kept)


def test_our_own_hop_is_a_loop_and_anothers_is_kept():
    assert meaning(HOST + b"Devdns-Hop: other, I-Test\r\n").loop
    through = meaning(HOST + b"Devdns-Hop: other\r\n")
    assert not through.loop
    assert b"Devdns-Hop: other, i-test\r\n" in through.fields


def test_an_offer_to_upgrade_travels_without_h2c_and_only_without_a_body():
    offer = HOST + b"Connection: Upgrade\r\nUpgrade: websocket, h2c\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    read = meaning(offer)
    assert read.upgrade == b"websocket"
    assert read.key == b"dGhlIHNhbXBsZSBub25jZQ=="
    assert b"Connection: Upgrade\r\nUpgrade: websocket\r\n" in read.fields
    assert not meaning(offer + b"Content-Length: 1\r\n").upgrade
    assert not meaning(offer, minor=b"0").upgrade
    assert not meaning(HOST + b"Upgrade: websocket\r\n").upgrade


def test_the_answer_to_the_key_of_the_rfc():
    assert websocket_accept(b"dGhlIHNhbXBsZSBub25jZQ==") == b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


NOT_REMEMBERED = [
    b"Content-Length: 0\r\n",
    b"Content-Length: 5\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Expect: 100-continue\r\n",
    b"Connection: upgrade\r\nUpgrade: websocket\r\n",
]


@pytest.mark.parametrize("fields", NOT_REMEMBERED)
def test_only_plain_requests_are_remembered(fields):
    assert meaning(HOST).memorable
    assert not meaning(HOST + fields).memorable


def test_own_names_and_hosts_are_canonical():
    read = meaning(b"Host: API.Dev.Test.:8080\r\n")
    assert (read.host, read.authority, read.own) == ("api.dev.test", b"API.Dev.Test.:8080", False)
    assert meaning(b"Host: devdns.dev.test\r\n").own
    assert meaning(b"Host: dev.test\r\n").own
