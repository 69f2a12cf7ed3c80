"""Response heads: what goes on to the client, how the body is framed, and what is refused."""

from __future__ import annotations

import pytest

from devdns_proxy.replies import ReplyRefused, read_reply

GOOD = [
    (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", (200, 5, False, True)),
    (b"HTTP/1.1 200\r\nContent-Length: 5\r\n\r\n", (200, 5, False, True)),
    (b"HTTP/1.1 200 \r\n\r\n", (200, None, False, True)),
    (b"HTTP/1.0 200 OK\r\n\r\n", (200, None, False, False)),
    (b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n", (200, 0, False, True)),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\nConnection: close\r\n\r\n", (200, None, True, False)),
    (b"HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n", (999, 0, False, True)),
    (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", (304, 5, False, False)),
    (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 0\r\n\r\n", (304, 0, False, True)),
    (b"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n", (204, None, False, False)),
    (b"HTTP/1.1 204 No Content\r\n\r\n", (204, None, False, True)),
    (b"HTTP/1.1 100 Continue\r\nContent-Length: 5\r\n\r\n", (100, 5, False, False)),
]


@pytest.mark.parametrize(("head", "expected"), GOOD)
def test_a_head_is_read(head, expected):
    reply = read_reply(head)
    assert (reply.status, reply.length, reply.chunked, reply.keep) == expected


REFUSED = [
    b"HTTP/2 200 OK\r\n\r\n",
    b"HTTP/1.1 20 OK\r\n\r\n",
    b"HTTP/1.1 2000 OK\r\n\r\n",
    b"HTTP/1.1  200 OK\r\n\r\n",
    b"ICY 200 OK\r\n\r\n",
    b"HTTP/1.1 200 O\0K\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
    b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nA: b\nC: d\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nA\r\n\r\n",
]


@pytest.mark.parametrize("head", REFUSED)
def test_a_head_with_two_readings_is_refused(head):
    with pytest.raises(ReplyRefused):
        read_reply(head)


def test_fields_of_one_hop_stay_here_and_cookies_keep_their_order():
    reply = read_reply(
        b"HTTP/1.0 200 Fine \xfc\r\nSet-Cookie: b=2\r\nConnection: x-hop\r\nX-Hop: 1\r\nKeep-Alive: 5\r\nset-cookie: a=1\r\n"
        b"Upgrade: h2\r\nSpaced : 1\r\nDate: d\r\n\r\n"
    )
    assert reply.head == b"HTTP/1.1 200 Fine \xfc\r\nSet-Cookie: b=2\r\nset-cookie: a=1\r\nSpaced: 1\r\nDate: d\r\n"


def test_no_length_where_there_is_no_body():
    for status in (b"204", b"100", b"103"):
        head = b"HTTP/1.1 " + status + b" x\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n"
        reply = read_reply(head)
        assert reply.bodiless
        assert reply.head == b"HTTP/1.1 " + status + b" x\r\n"


def test_a_refused_upgrade_says_what_is_needed():
    reply = read_reply(
        b"HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\nConnection: upgrade\r\nContent-Length: 0\r\n\r\n"
    )
    assert reply.head.endswith(b"Connection: Upgrade\r\nUpgrade: websocket\r\n")


def test_only_a_dated_head_is_ready():
    dated = read_reply(b"HTTP/1.1 200 OK\r\nDate: d\r\nContent-Length: 0\r\n\r\n")
    assert dated.ready == dated.head + b"\r\n"
    assert not read_reply(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").ready


@pytest.mark.parametrize(
    ("line", "events"),
    [
        (b"Content-Type: text/event-stream", True),
        (b"content-type:text/Event-Stream; charset=utf-8", True),
        (b"Content-Type: text/event-streams", False),
        (b"X: content-type: text/event-stream", False),
    ],
)
def test_an_event_stream_is_known(line, events):
    assert read_reply(b"HTTP/1.1 200 OK\r\n" + line + b"\r\n\r\n").events is events
