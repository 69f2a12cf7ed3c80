"""Requests over HTTP/2: what the service sees of them, what comes back, and what is refused (RFC 9113 section 8)."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.http2 import END_STREAM, GET, HEADERS, frame, peer, settings
from support.http_proxy import OK, backend, route, running, stage

from devdns_proxy.h2.requests import asked
from devdns_proxy.heads import REQUEST_LINE
from devdns_proxy.http2.wire import Malformed


def lines(head: bytes) -> list[bytes]:
    return head.split(b"\r\n\r\n")[0].split(b"\r\n")


async def test_a_request_reaches_the_service_as_http_11_and_its_answer_comes_back():
    async with stage(OK) as (proxy, service), peer(proxy) as client:
        answer = await client.get(("x-a", "b"), ("cookie", "a=1"), ("cookie", "b=2"), path="/x?y=%20")
        assert (answer.status, answer.body, answer.ended) == ("200", b"ok", "END")
        assert answer.fields == {":status": "200", "content-length": "2", "date": "now"}
        seen = lines(service.seen[0])
        assert seen[:4] == [b"GET /x?y=%20 HTTP/1.1", b"Host: api.dev.test", b"x-a: b", b"cookie: a=1; b=2"]
        assert b"X-Forwarded-Host: api.dev.test" in seen
        assert not any(line.lower().startswith((b"connection", b"transfer-encoding")) for line in seen)


async def test_streams_are_answered_as_their_services_answer_and_not_in_order():
    slow = asyncio.Event()

    async def late(_, wire):
        await wire.head()
        await slow.wait()
        await wire.send(OK)

    async with stage(OK) as (proxy, service), backend(late) as other:
        proxy.route(route("api", service.port), route("late", other.port))
        async with peer(proxy) as client:
            first = await client.ask(authority="late.dev.test")
            assert (await client.get()).status == "200"
            slow.set()
            assert (await client.answer(first)).status == "200"


async def test_a_connection_goes_on_over_the_same_connection_to_the_service():
    async with stage(OK) as (proxy, service), peer(proxy) as client:
        for _ in range(5):
            assert (await client.get()).body == b"ok"
        assert service.connections == 1
        assert proxy.proxy.counters.connections == 1


@pytest.mark.parametrize("method", ["HEAD", "GET"])
async def test_a_response_without_a_body_ends_with_its_head(method):
    async with stage(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nDate: d\r\n\r\n") as (proxy, _), peer(proxy) as client:
        answer = await client.get(method=method)
        assert (answer.status, answer.body, answer.ended) == ("200", b"", "END")


@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified"])
async def test_a_status_that_has_no_body(status):
    async with stage(b"HTTP/1.1 " + status + b"\r\nDate: d\r\n\r\n") as (proxy, _), peer(proxy) as client:
        answer = await client.get()
        assert (answer.status.encode(), answer.ended) == (status[:3], "END")


async def test_chunks_become_data_and_trailers_a_second_field_section():
    chunked = b"HTTP/1.1 200 OK\r\nDate: d\r\nConnection: x-hop\r\nX-Hop: 1\r\nTransfer-Encoding: chunked\r\n\r\n"
    async with (
        stage(chunked + b"2\r\nhe\r\n3\r\nllo\r\n0\r\nGrpc-Status: 0\r\n\r\n") as (proxy, _),
        peer(proxy) as client,
    ):
        answer = await client.get()
        assert answer.body == b"hello"
        assert answer.fields == {":status": "200", "date": "d"}
        assert answer.trailers == {"grpc-status": "0"}
        assert answer.ended == "END"


async def test_interim_responses_come_before_the_final_one():
    early = b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n" + OK
    async with stage(early) as (proxy, _), peer(proxy) as client:
        answer = await client.get()
        assert [head[":status"] for head in answer.heads] == ["103", "200"]
        assert answer.heads[0]["link"] == "</a.css>"


@pytest.mark.parametrize(
    "cut",
    [
        b"HTTP/1.1 200 OK\r\nDate: d\r\nContent-Length: 10\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nDate: d\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
    ],
)
async def test_a_response_that_breaks_off_is_reset_and_never_ended(cut):
    async def conversation(_, wire):
        await wire.head()
        await wire.send(cut)

    async with backend(conversation) as service, running(route("api", service.port)) as proxy, peer(proxy) as client:
        answer = await client.get()
        assert (answer.body, answer.ended) == (b"half", "INTERNAL_ERROR")
        assert (await client.get(authority="none.dev.test")).status == "404"


async def test_a_request_that_is_taken_back_leaves_the_service_at_once():
    there = asyncio.Event()

    async def silent(self, wire):
        await wire.head()
        there.set()
        await wire.rest()
        self.closed.set()

    async with backend(silent) as service, running(route("api", service.port)) as proxy, peer(proxy) as client:
        number = await client.ask()
        await there.wait()
        await client.send(frame(3, 0, number, b"\0\0\0\x08"))
        async with asyncio.timeout(5):
            await service.closed.wait()
        assert (await client.get(authority="none.dev.test")).status == "404"


# Bodies


def taking(size: int, answer: bytes = OK):
    """Reads a head and `size` bytes, then answers."""

    async def conversation(self, wire):
        self.seen.append(await wire.head())
        self.seen.append(await wire.exactly(size))
        await wire.send(answer)

    return conversation


async def test_a_body_of_a_known_length_passes_as_it_is():
    async with backend(taking(10)) as service, running(route("api", service.port)) as proxy, peer(proxy) as client:
        number = await client.ask(("content-length", "10"), end=False, method="POST")
        await client.data(number, b"hello")
        await client.data(number, b"world", end=True)
        assert (await client.answer(number)).status == "200"
        assert service.seen[1] == b"helloworld"
        assert b"content-length: 10" in service.seen[0].lower()


async def test_a_body_of_an_unknown_length_is_chunked_and_its_trailers_pass():
    whole = b"5\r\nhello\r\n0\r\nx-sum: 1\r\n\r\n"
    async with (
        backend(taking(len(whole))) as service,
        running(route("api", service.port)) as proxy,
        peer(proxy) as client,
    ):
        number = await client.ask(end=False, method="POST")
        await client.data(number, b"hello")
        trailers = client.encoder.encode([("x-sum", "1")])
        await client.send(frame(HEADERS, 5, number, trailers))
        assert (await client.answer(number)).status == "200"
        assert b"Transfer-Encoding: chunked" in service.seen[0]
        assert service.seen[1] == whole


@pytest.mark.parametrize(("said", "sent"), [("5", b"four"), ("5", b"sixsix")])
async def test_a_body_of_another_length_than_said_never_looks_whole(said, sent):
    async with backend(taking(100)) as service, running(route("api", service.port)) as proxy, peer(proxy) as client:
        number = await client.ask(("content-length", said), end=False, method="POST")
        await client.data(number, sent, end=True)
        assert (await client.answer(number)).ended == "PROTOCOL_ERROR"
        assert len(service.seen) < 2


async def test_a_body_whose_end_is_a_frame_of_its_own_is_waited_for():
    """As httpx sends it: the answer may be there before."""
    async with backend(taking(5)) as service, running(route("api", service.port)) as proxy, peer(proxy) as client:
        number = await client.ask(("content-length", "5"), end=False, method="POST")
        await client.data(number, b"hello")
        assert (await client.answer(number)).ended == "END"
        await client.data(number, end=True)
        assert (await client.get(authority="none.dev.test")).status == "404"
        assert client.of(number).ended == "END"
        await client.data(number, b"more")
        await client.until(lambda: client.of(number).ended != "END")


async def test_an_answer_before_the_body_has_come_ends_the_stream_and_asks_for_no_more():
    async with running(route("api", "1")) as proxy, peer(proxy) as client:
        number = await client.ask(end=False, method="POST", authority="none.dev.test")
        answer = await client.answer(number)
        assert answer.status == "404"
        await client.data(number, b"late", end=True)
        assert (await client.get(authority="none.dev.test")).status == "404"


# What is refused

NO = [
    ("upper case", [("X-A", "b")], {}),
    ("connection", [("connection", "close")], {}),
    ("transfer-encoding", [("transfer-encoding", "chunked")], {}),
    ("upgrade", [("upgrade", "websocket")], {}),
    ("te", [("te", "gzip")], {}),
    ("CR LF in a value", [("x-a", "b\r\nx-c: d")], {}),
    ("LF in a value", [("x-a", "b\nc")], {}),
    ("NUL in a value", [("x-a", "b\0")], {}),
    ("space around a value", [("x-a", " b")], {}),
    ("colon in a name", [("x:a", "b")], {}),
    ("space in a name", [("x a", "b")], {}),
    ("no name", [("", "b")], {}),
    ("a second length", [("content-length", "0"), ("content-length", "0")], {}),
    ("a length that is a list", [("content-length", "0,0")], {}),
    ("a length with a sign", [("content-length", "+0")], {}),
    ("a length and no body", [("content-length", "3")], {}),
    ("another Host", [("host", "other.dev.test")], {}),
    ("two Hosts", [("host", "api.dev.test"), ("host", "other.dev.test")], {"authority": ""}),
    ("no authority", [], {"authority": ""}),
    ("a space in the authority", [], {"authority": "api.dev.test x"}),
    ("no path", [], {"path": ""}),
    ("a path of two words", [], {"path": "/ HTTP/1.1\r\nx-a: b"}),
    ("a path with a space", [], {"path": "/a b"}),
    ("an absolute path", [], {"path": "http://other.dev.test/"}),
    ("a star", [], {"path": "*"}),
    ("no method", [], {"method": ""}),
    ("a method of two words", [], {"method": "GET /x"}),
    ("no scheme", [], {"scheme": ""}),
    ("a pseudo field late", [("x-a", "b"), (":path", "/")], {}),
    ("an unknown pseudo field", [(":status", "200")], {}),
    ("a protocol without CONNECT", [], {"protocol": "websocket"}),
]


@pytest.mark.parametrize(("fields", "pseudo"), [row[1:] for row in NO], ids=[row[0] for row in NO])
async def test_a_malformed_request_is_reset_and_the_others_go_on(fields, pseudo):
    async with stage(OK) as (proxy, service), peer(proxy) as client:
        for _ in range(2):  # cold and warm
            assert (await client.get(*fields, **pseudo)).ended == "PROTOCOL_ERROR"
        assert service.seen == []
        assert (await client.get()).status == "200"


TEXT = st.binary(max_size=12)
FIELD = st.tuples(st.one_of(TEXT, st.sampled_from([b"host", b"content-length", b"cookie", b"te", b"x-a"])), TEXT)
REQUEST = st.tuples(
    st.one_of(TEXT, st.just(b"GET")),
    st.one_of(TEXT, st.just(b"/")),
    st.one_of(TEXT, st.just(b"api.dev.test")),
    st.lists(FIELD, max_size=4),
    st.booleans(),
)


@given(REQUEST)
def test_whatever_the_fields_a_head_has_one_reading(request):
    method, path, authority, fields, whole = request
    pseudo = [(b":method", method), (b":scheme", b"https"), (b":path", path), (b":authority", authority)]
    try:
        head = asked(pseudo + fields, whole=whole).head
    except Malformed:
        return
    assert head.endswith(b"\r\n\r\n")
    assert head.count(b"\r\n\r\n") == 1
    assert REQUEST_LINE.match(head)[2] == path
    assert head.replace(b"\r\n", b"").count(b"\n") == head.replace(b"\r\n", b"").count(b"\r") == head.count(b"\0") == 0
    named = [line.partition(b":")[0].lower() for line in lines(head)[1:]]
    assert named[0] == b"host"
    for once in (b"host", b"content-length", b"transfer-encoding"):
        assert named.count(once) <= 1
    assert not {b"content-length", b"transfer-encoding"} <= set(named)


async def test_connect_as_a_forward_proxy_is_asked_is_405():
    async with stage(OK) as (proxy, _), peer(proxy) as client:
        assert (await client.get(method="CONNECT", scheme="", path="")).status == "405"


async def test_a_block_means_what_the_table_says_now_and_not_what_it_said_before():
    async with stage(OK) as (proxy, service), peer(proxy) as client:
        await client.get(("x-a", "one"))
        for _ in range(3):
            await client.get(("x-a", "one"))  # indexed now, and remembered
        again = client.encoder.encode([*GET.items(), ("x-a", "one")])
        await client.get(("x-b", "two"))
        await client.get(("x-c", "three"))
        number, _ = client.head()
        before = len(service.seen)
        await client.send(
            frame(HEADERS, 5, number, again)
        )  # its indexes are other fields' by now, and none is the authority
        assert (await client.answer(number)).ended == "PROTOCOL_ERROR"
        assert len(service.seen) == before


@pytest.mark.parametrize("late", [False, True])
async def test_trailers_change_the_table_as_any_section_does(late):
    """A remembered block would else go on meaning what it did, and its request go to another service; `late`: after the answer."""
    async with stage(OK) as (proxy, service), peer(proxy) as client:
        for _ in range(4):
            await client.get(("x-a", "one"))
        size = ("content-length", "0") if late else ("x-c", "d")
        number = await client.ask(size, end=False, method="POST")
        if late:
            await client.answer(number)
        for _ in range(2):  # indexed now, and remembered
            again = client.encoder.encode([*GET.items(), ("x-a", "one")])
            other, _ = client.head()
            await client.send(frame(HEADERS, 5, other, again))
            assert (await client.answer(other)).status == "200"
        trailers = client.encoder.encode([("x-sum", "1"), ("x-more", "2")])
        await client.send(frame(HEADERS, 5, number, trailers))
        await client.answer(number)
        before = len(service.seen)
        number, _ = client.head()
        await client.send(frame(HEADERS, 5, number, again))
        assert (await client.answer(number)).ended == "PROTOCOL_ERROR"
        assert len(service.seen) == before


async def test_http2_is_spoken_from_the_first_byte_only():
    async with stage(OK) as (proxy, _), await proxy.connect() as wire:
        await wire.send(b"GET / HTTP/1.1\r\nHost: api.dev.test\r\n\r\n")
        await wire.response()
        await wire.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + settings())
        assert (await wire.head()).startswith(b"HTTP/1.1 505 ")


async def test_a_preface_in_pieces_is_one():
    async with stage(OK) as (proxy, _), await proxy.connect() as wire:
        for byte in b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + settings():
            await wire.send(bytes([byte]))
        assert (await wire.exactly(9))[3] == 4


async def test_our_own_names_answer_and_their_events_come_as_they_happen():
    async with running() as proxy, peer(proxy) as client:
        page = await client.get(("accept", "text/html"), authority="devdns.dev.test")
        assert (page.status, page.ended) == ("200", "END")
        assert b"<h1>devdns</h1>" in page.body
        number = await client.ask(authority="devdns.dev.test", path="/live")
        await client.until(lambda: b"data: " in client.of(number).body)
        assert client.of(number).fields["content-type"] == "text/event-stream"
        assert (await client.get(authority="none.dev.test")).status == "404"


async def test_when_the_proxy_stops_what_has_begun_is_finished():
    begun, go = asyncio.Event(), asyncio.Event()

    async def late(_, wire):
        await wire.head()
        begun.set()
        await go.wait()
        await wire.send(OK)

    async with backend(late) as service, running(route("api", service.port)) as proxy, peer(proxy) as client:
        number = await client.ask()
        await begun.wait()
        draining = asyncio.create_task(proxy.proxy.drain(5.0))
        await client.until(lambda: client.gone is not None)
        assert client.gone[0] == "NO_ERROR"
        go.set()
        assert (await client.answer(number)).body == b"ok"
        assert await client.read() is None
        client.wire.writer.close()
        await draining


async def test_an_end_that_comes_alone_ends_the_request():
    async with backend(taking(5)) as service, running(route("api", service.port)) as proxy, peer(proxy) as client:
        number = await client.ask(end=False, method="POST")
        await client.send(frame(0, END_STREAM, number))
        await client.answer(number)
        assert service.seen[1] == b"0\r\n\r\n"
