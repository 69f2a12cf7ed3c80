"""The HTTP list over raw sockets: what a client sends, what the service sees, what the client gets."""

from __future__ import annotations

import asyncio
import re

import pytest
from support.http_proxy import BOUND, GET, INSTANCE, LAST, OK, answering, backend, listening, route, running, stage

from devdns.core.frames import Hello
from devdns.core.routes import State

HEAD_END = b"\r\n\r\n"


def request(line: bytes = b"GET / HTTP/1.1", *fields: bytes, body: bytes = b"") -> bytes:
    return b"\r\n".join([line, b"Host: api.dev.test", *fields, b"", body])


def reply(*fields: bytes, body: bytes = b"", status: bytes = b"200 OK") -> bytes:
    return b"\r\n".join([b"HTTP/1.1 " + status, b"Date: d", *fields, b"", body])


BAD = {
    "bare LF": b"GET / HTTP/1.1\nHost: api.dev.test\n\n",
    "bare LF before the line": b"\r\n\nGET / HTTP/1.1\r\nHost: api.dev.test\r\n\r\n",
    "bare LF alone": b"\n",
    "bare CR alone": b"\rG",
    "bare LF in the block": b"GET / HTTP/1.1\r\nHost: api.dev.test\nA: b\r\n\r\n",
    "two spaces": b"GET  / HTTP/1.1\r\nHost: api.dev.test\r\n\r\n",
    "fragment": request(b"GET /a#b HTTP/1.1"),
    "fragment in absolute form": request(b"GET http://api.dev.test/a#b HTTP/1.1"),
    "no Host": b"GET / HTTP/1.1\r\n\r\n",
    "two Hosts": request(b"GET / HTTP/1.1", b"Host: b.dev.test"),
    "both framings": request(
        b"POST / HTTP/1.1", b"Content-Length: 5", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n"
    ),
    "5,5": request(b"POST / HTTP/1.1", b"Content-Length: 5,5", body=b"hello"),
    "folded": request(b"GET / HTTP/1.1", b"A: b", b" c"),
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "absolute and Host disagree": request(b"GET http://b.dev.test/ HTTP/1.1"),
    "NUL": request(b"GET / HTTP/1.1", b"A: \0"),
}


@pytest.mark.parametrize("data", BAD.values(), ids=BAD.keys())
async def test_400_and_close(data):
    async with stage(OK) as (proxy, service):
        for _ in range(2):  # cold and warm
            answer = await proxy.say(data + GET)
            assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
            assert answer.count(b"HTTP/1.1 ") == 1
            assert b"\r\nConnection: close\r\n" in answer
        assert service.seen == []


OTHER = [
    (b"GET / HTTP/2.0\r\n\r\n", b"505"),
    (b"GET /" + b"a" * 9_000 + b" HTTP/1.1\r\nHost: api.dev.test\r\n\r\n", b"414"),
    (b"GET /" + b"a" * 20_000, b"414"),
    (request(b"GET / HTTP/1.1", b"A: " + b"b" * 40_000), b"431"),
    (b"GET / HTTP/1.1\r\nA: " + b"b" * 50_000, b"431"),
    (b"CONNECT api.dev.test:80 HTTP/1.1\r\nHost: api.dev.test\r\n\r\n", b"405"),
    (request(b"GET / HTTP/1.1", b"Expect: x"), b"417"),
]


@pytest.mark.parametrize(("data", "status"), OTHER)
async def test_refused_and_closed(data, status):
    async with stage(OK) as (proxy, _):
        assert (await proxy.say(data)).startswith(b"HTTP/1.1 " + status)


async def test_a_request_that_follows_a_refused_one_is_never_read():
    async with stage(OK) as (proxy, service):
        answer = await proxy.say(GET + b"GET / HTTP/1.1\r\nHost : x\r\n\r\n" + GET)
        assert re.findall(rb"HTTP/1.1 \d+", answer) == [b"HTTP/1.1 200", b"HTTP/1.1 400"]
        assert len(service.seen) == 1


async def test_a_head_may_come_byte_by_byte():
    async with stage(OK) as (proxy, service), await proxy.connect() as wire:
        for at in range(len(GET)):
            await wire.send(GET[at : at + 1])
            await asyncio.sleep(0)
        assert (await wire.response())[1] == b"ok"
        assert len(service.seen) == 1


async def test_empty_lines_before_a_request_are_skipped():
    async with stage(OK) as (proxy, service), await proxy.connect() as wire:
        await wire.send(b"\r\n" + GET)
        await wire.response()
        await wire.send(b"\r\n")
        await wire.send(b"\r\n\r\n" + GET)
        await wire.response()
        assert len(service.seen) == 2


TARGETS = [b"/%0d%0a", b"//x", b"/../a/./b", b"/a%2Fb?c=%zz", b"/\xc3\xa4\xff", b"/?", b"/a;b=c?d?e"]


@pytest.mark.parametrize("target", TARGETS)
async def test_the_target_passes_as_it_came(target):
    async with stage(OK) as (proxy, service):
        await proxy.say(request(b"GET " + target + b" HTTP/1.1", b"Connection: close"))
        assert service.seen[0].startswith(b"GET " + target + b" HTTP/1.1\r\n")


async def test_absolute_form_and_asterisk():
    async with stage(OK) as (proxy, service):
        await proxy.say(request(b"GET http://api.dev.test/x?y HTTP/1.1", b"Connection: close"))
        await proxy.say(request(b"OPTIONS * HTTP/1.1", b"Connection: close"))
        await proxy.say(request(b"BREW /pot HTTP/1.1", b"Connection: close"))
        assert [head.split(b"\r\n")[0] for head in service.seen] == [
            b"GET /x?y HTTP/1.1",
            b"OPTIONS * HTTP/1.1",
            b"BREW /pot HTTP/1.1",
        ]


HOSTS = [b"API.Dev.Test", b"api.dev.test.", b"api.dev.test:8080", b"aPi.dev.test.:1"]


@pytest.mark.parametrize("host", HOSTS)
async def test_hosts_match_without_case_port_and_trailing_dot_and_go_on_as_they_came(host):
    async with stage(OK) as (proxy, service):
        answer = await proxy.say(b"GET / HTTP/1.1\r\nHost: " + host + b"\r\nConnection: close\r\n\r\n")
        assert answer.endswith(b"ok")
        assert b"\r\nHost: " + host + b"\r\n" in service.seen[0]


async def test_every_request_gets_an_id_of_its_own_even_when_remembered():
    async with stage(OK) as (proxy, service), await proxy.connect() as wire:
        for path in (b"/", b"/a/b", b"/c?d"):
            await wire.send(GET.replace(b"/ ", path + b" ", 1))
            await wire.response()
        ids = [line for head in service.seen for line in head.split(b"\r\n") if line.startswith(b"X-Request-ID: ")]
        assert len(ids) == len(set(ids)) == 3
        assert len(proxy.proxy.context.heads) == 1


NEVER_REMEMBERED = [
    request(b"GET http://api.dev.test/x HTTP/1.1"),
    request(b"OPTIONS * HTTP/1.1"),
    request(b"GET /x HTTP/1.1", b"Content-Length: 0"),
    request(b"GET /x HTTP/1.1", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n"),
    request(b"GET /x HTTP/1.1", b"Connection: upgrade", b"Upgrade: websocket"),
    request(b"GET /x HTTP/1.1", b"A: " + b"b" * 9_000),
]


@pytest.mark.parametrize("data", NEVER_REMEMBERED)
async def test_only_plain_heads_are_remembered(data):
    async with stage(OK) as (proxy, service), await proxy.connect() as wire:
        for _ in range(2):
            await wire.send(data)
            assert (await wire.response())[1] == b"ok"
        if b"OPTIONS" not in data:
            assert len(proxy.proxy.context.heads) == 0
        assert len([head for head in service.seen if b"Host: " in head]) == 2


async def test_a_pipelined_pair_is_two_requests_cold_and_warm():
    async with stage(OK) as (proxy, service), await proxy.connect() as wire:
        for _ in range(3):
            await wire.send(GET + GET)
            assert [(await wire.response())[1] for _ in range(2)] == [b"ok", b"ok"]
            await wire.send(GET)  # now the memo holds the head alone
            await wire.response()
        assert len(service.seen) == 9


ALIKE = [
    GET,
    GET.replace(b"api", b"web"),
    GET.replace(b"GET", b"PUT"),
    request(b"GET http://api.dev.test/x HTTP/1.1"),
    request(b"OPTIONS * HTTP/1.1"),
    request(b"GET / HTTP/1.0", b"Connection: keep-alive"),
    request(b"GET / HTTP/1.1", b"Connection: keep-alive"),
    request(b"GET / HTTP/1.1", b"Content-Length: 0"),
]


async def test_the_request_before_is_not_taken_for_the_one_in_hand():
    """Every one after every other, repeated, on one connection: the service sees what it sees on connections of their own."""

    def told(service):
        return re.sub(rb"X-Request-ID: [^\r]*", b"", service.seen[-1])

    async with stage(OK) as (proxy, service), await proxy.connect() as wire:
        proxy.route(route("api", service.port), route("web", service.port))
        alone = []
        for data in ALIKE:
            async with await proxy.connect() as own:
                await own.send(data)
                await own.response()
                alone.append(told(service))
        for first in range(len(ALIKE)):
            for second in range(len(ALIKE)):
                for which in (first, first, second, second):
                    await wire.send(ALIKE[which])
                    await wire.response()
                    assert told(service) == alone[which]


async def test_a_new_hello_is_used_for_a_repeated_request():
    async with stage(OK) as (proxy, service), await proxy.connect() as wire:
        for _ in range(3):
            await wire.send(GET)
            await wire.response()
        proxy.view.hello = Hello(1, "another", proxy.view.hello.config)
        await wire.send(GET)
        await wire.response()
        assert b"\r\nDevdns-Hop: another\r\n" in service.seen[-1]


async def test_a_new_hello_is_used_at_once():
    async with stage(OK) as (proxy, service), await proxy.connect() as wire:
        hello, proxy.view.hello = proxy.view.hello, None
        await wire.send(GET.replace(b"api", b"new"))
        assert (await wire.response())[0].startswith(b"HTTP/1.1 503")
        proxy.view.hello = Hello(1, "another", hello.config)
        await wire.send(GET[:20])
        await wire.send(GET[20:])
        await wire.response()
        assert b"\r\nDevdns-Hop: another\r\n" in service.seen[-1]


async def test_a_new_table_is_used_at_once_and_a_new_zone_too():
    async with stage(OK) as (proxy, service), backend(answering(OK.replace(b"ok", b"no"))) as other:
        async with await proxy.connect() as wire:
            await wire.send(GET)
            assert (await wire.response())[1] == b"ok"
            proxy.route(route("api", other.port))
            await wire.send(GET)
            assert (await wire.response())[1] == b"no"
            proxy.route()
            await wire.send(GET)
            assert (await wire.response())[0].startswith(b"HTTP/1.1 404")
        assert (len(service.seen), len(other.seen)) == (1, 1)


# Responses


async def test_a_response_goes_on_with_obs_text_and_cookies_in_order():
    answer = reply(b"Set-Cookie: b=2", b"X: \xff\xfe", b"set-cookie: a=1", b"Content-Length: 0")
    async with stage(answer) as (proxy, _):
        assert b"Set-Cookie: b=2\r\nX: \xff\xfe\r\nset-cookie: a=1\r\n" in await proxy.say(LAST)


async def test_a_date_is_added_where_there_is_none():
    async with stage(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") as (proxy, _):
        assert b"\r\nDate: " in await proxy.say(LAST)


BODILESS = [
    (b"HEAD / HTTP/1.1", reply(b"Content-Length: 0"), b"Content-Length: 0", 1),
    (b"GET / HTTP/1.1", reply(status=b"304 Not Modified"), b"Date: d", 1),
    (b"GET / HTTP/1.1", reply(status=b"204 No Content"), b"Date: d", 1),
    # After these a service with a common slip sends the body all the same: it must not be the next client's answer.
    (b"HEAD / HTTP/1.1", reply(b"Content-Length: 5"), b"Content-Length: 5", 3),
    (b"HEAD / HTTP/1.1", reply(b"Transfer-Encoding: chunked"), b"Transfer-Encoding: chunked", 3),
    (b"HEAD / HTTP/1.1", reply(), b"Date: d", 3),
    (b"GET / HTTP/1.1", reply(b"Content-Length: 5", status=b"304 Not Modified"), b"Content-Length: 5", 3),
    (b"GET / HTTP/1.1", reply(b"Transfer-Encoding: chunked", status=b"204 No Content"), b"Date: d", 3),
    (b"GET / HTTP/1.1", reply(b"Content-Length: 5", status=b"103 Hints") + OK, b"103 Hints", 3),
]


@pytest.mark.parametrize(("line", "answer", "field", "dialled"), BODILESS)
async def test_only_responses_that_announce_no_body_leave_the_service_its_connection(line, answer, field, dialled):
    async with stage(answer) as (proxy, service), await proxy.connect() as wire:
        for _ in range(3):
            await wire.send(request(line))
            head = await wire.head()
            assert field in head
            assert b"Connection" not in head
            if b" 103 " in head:
                await wire.response()
        assert service.connections == dialled


async def sloppy(self, wire):
    """A service that sends its body after HEAD too, in a piece of its own, and something after the response to GET /late."""
    while True:
        head = await wire.head()
        body = OK.replace(b"ok", b"no")
        if head.startswith(b"HEAD"):
            await wire.send(reply(b"Content-Length: %d" % len(body)))
            await wire.send(body)
        else:
            await wire.send(OK)
        if head.startswith(b"GET /late"):
            await self.go.wait()
            await wire.send(body)
            self.sent.set()


async def test_a_body_after_head_is_nobodys_response():
    head = b"HEAD / HTTP/1.1\r\nHost: api.dev.test\r\n\r\n"
    async with backend(sloppy) as service, running(route("api", service.port)) as proxy:
        for _ in range(50):
            assert (await proxy.say(head + LAST)).endswith(b"\r\n\r\nok")


async def test_a_service_that_has_spoken_unasked_gets_a_new_connection_for_each_request():
    async with backend(sloppy) as service, running(route("api", service.port)) as proxy:
        service.go, service.sent = asyncio.Event(), asyncio.Event()
        async with await proxy.connect() as wire, asyncio.timeout(BOUND):
            await wire.send(request(b"GET /late HTTP/1.1"))
            assert (await wire.response())[1] == b"ok"
            service.go.set()
            await service.sent.wait()
            await service.closed.wait()
            for _ in range(3):
                await wire.send(GET)
                assert (await wire.response())[1] == b"ok"
        assert service.connections == 4


async def test_interim_responses_pass_and_http_10_gets_none():
    answer = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n" + OK
    async with stage(answer) as (proxy, _), await proxy.connect() as wire:
        await wire.send(GET)
        assert await wire.head() == b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
        assert (await wire.head()).startswith(b"HTTP/1.1 102")
        assert (await wire.response())[1] == b"ok"
        old = await proxy.say(b"GET / HTTP/1.0\r\nHost: api.dev.test\r\n\r\n")
        assert old.startswith(b"HTTP/1.1 200 OK")


async def test_thousands_of_interim_responses_do_no_harm():
    async with stage(b"HTTP/1.1 102 Processing\r\n\r\n" * 3_000 + OK) as (proxy, _):
        assert (await proxy.say(LAST)).endswith(b"ok")


async def test_chunks_and_trailers_pass_to_http_11_and_only_the_payload_to_http_10():
    body = b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nChecksum: 1\r\nX-Forwarded-For: evil\r\n\r\n"
    async with stage(reply(b"Transfer-Encoding: chunked", b"Trailer: Checksum", body=body)) as (proxy, service):
        async with await proxy.connect() as wire:
            for _ in range(2):
                await wire.send(GET)
                head = await wire.head()
                assert b"\r\nTrailer: Checksum\r\nTransfer-Encoding: chunked\r\n" in head
                assert (
                    await wire.until(b"0\r\nChecksum: 1\r\n\r\n") == b"3\r\nabc\r\n2\r\nde\r\n0\r\nChecksum: 1\r\n\r\n"
                )
        old = await proxy.say(b"GET / HTTP/1.0\r\nHost: api.dev.test\r\nConnection: keep-alive\r\n\r\n")
        assert old.endswith(b"\r\nConnection: close\r\n\r\nabcde")
        assert b"Transfer-Encoding" not in old
        assert service.connections == 1


async def test_http_10_with_and_without_keep_alive():
    async with stage(OK) as (proxy, service), await proxy.connect() as wire:
        await wire.send(b"GET / HTTP/1.0\r\nHost: api.dev.test\r\nConnection: keep-alive\r\n\r\n")
        head, _ = await wire.response()
        assert b"\r\nConnection: keep-alive\r\n" in head
        await wire.send(b"GET / HTTP/1.0\r\nHost: api.dev.test\r\n\r\n")
        assert b"\r\nConnection: close\r\n" in await wire.rest()
        assert all(b" HTTP/1.1\r\n" in head for head in service.seen)


async def test_a_body_that_ends_with_its_connection_is_chunked_or_closes():
    async def conversation(self, wire):
        self.seen.append(await wire.head())
        await wire.send(b"HTTP/1.0 200 OK\r\n\r\nhello")

    async with backend(conversation) as service, running(route("api", service.port)) as proxy:
        async with await proxy.connect() as wire:
            await wire.send(GET)
            assert b"\r\nTransfer-Encoding: chunked\r\n" in await wire.head()
            assert await wire.until(b"0\r\n\r\n") == b"5\r\nhello\r\n0\r\n\r\n"
            await wire.send(GET)
            await wire.head()
        assert (await proxy.say(b"GET / HTTP/1.0\r\nHost: api.dev.test\r\n\r\n")).endswith(b"\r\n\r\nhello")


CUT = [
    reply(b"Content-Length: 100", body=b"part"),
    reply(b"Transfer-Encoding: chunked", body=b"4\r\npart\r\n"),
    reply(b"Transfer-Encoding: chunked", body=b"4\r\npart\r\nxyz\r\n"),
]


@pytest.mark.parametrize("answer", CUT)
async def test_a_service_that_dies_in_the_middle_is_seen_to(answer):
    async def conversation(_, wire):
        await wire.head()
        await wire.send(answer)

    async with backend(conversation) as service, running(route("api", service.port)) as proxy:
        got = await proxy.say(GET)
        assert got.endswith((b"part", b"part\r\n", b"chunked\r\n\r\n"))
        assert b"\r\n0\r\n" not in got


@pytest.mark.parametrize("answer", [*CUT, reply(b"Transfer-Encoding: chunked", body=b"4\r\npart\r\n0\r\n")])
async def test_a_broken_response_does_not_look_whole_to_http_10(answer):
    go = asyncio.Event()

    async def conversation(_, wire):
        await wire.head()
        await wire.send(answer)
        await go.wait()

    async with (
        backend(conversation) as service,
        running(route("api", service.port)) as proxy,
        await proxy.connect() as wire,
    ):
        await wire.send(b"GET / HTTP/1.0\r\nHost: api.dev.test\r\n\r\n")
        if b"xyz" not in answer:
            await wire.until(b"part")
        go.set()
        with pytest.raises(ConnectionResetError):
            await wire.rest()


async def test_bytes_after_a_response_are_never_shown():
    async with stage(OK + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil") as (proxy, service):
        async with await proxy.connect() as wire:
            for _ in range(3):
                await wire.send(GET)
                assert (await wire.response())[1] == b"ok"
        assert service.connections == 3


MALFORMED = [
    b"SSH-2.0-OpenSSH\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nA: " + b"b" * 70_000,
]


@pytest.mark.parametrize("answer", MALFORMED)
async def test_a_malformed_response_is_502(answer):
    async with stage(answer) as (proxy, _):
        got = await proxy.say(LAST)
        assert got.startswith(b"HTTP/1.1 502 ")
        assert b"malformed response" in got


# Request bodies


async def echo(self, wire):
    """Answers with the bytes of the body, as they stood on the wire."""
    while True:
        head = await wire.head()
        self.seen.append(head)
        if b"Transfer-Encoding: chunked" in head:
            body = await wire.until(b"0\r\n")
            body += await wire.until(b"\r\n") if body.endswith(b"\r\n0\r\n") or body == b"0\r\n" else b""
        else:
            lengths = [line for line in head.split(b"\r\n") if line.startswith(b"Content-Length:")]
            body = await wire.exactly(int(lengths[0].split(b":")[1])) if lengths else b""
        await wire.send(b"HTTP/1.1 200 OK\r\nDate: d\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))


async def test_bodies_of_both_kinds_pass_and_the_next_request_is_found():
    async with backend(echo) as service, running(route("api", service.port)) as proxy, await proxy.connect() as wire:
        sized = request(b"POST / HTTP/1.1", b"Content-Length: 5", body=b"hello")
        chunked = request(b"POST / HTTP/1.1", b"Transfer-Encoding: chunked", body=b"3;x\r\nabc\r\n0\r\n\r\n")
        empty = request(b"POST / HTTP/1.1", b"Content-Length: 0")
        await wire.send(sized + chunked + empty + GET)
        assert [(await wire.response())[1] for _ in range(4)] == [b"hello", b"3\r\nabc\r\n0\r\n\r\n", b"", b""]
        assert service.connections == 1
        assert [b"Content-Length: 0" in head for head in service.seen] == [False, False, True, False]


async def test_a_body_may_come_byte_by_byte():
    async with backend(echo) as service, running(route("api", service.port)) as proxy, await proxy.connect() as wire:
        for data in (
            b"POST / HTTP/1.1\r\nHost: api.dev.test\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n" * 2,
        ):
            for at in range(len(data)):
                await wire.send(data[at : at + 1])
                await asyncio.sleep(0)
        assert [(await wire.response())[1] for _ in range(2)] == [b"3\r\nabc\r\n0\r\n\r\n"] * 2


async def test_a_broken_chunk_is_400_and_the_service_sees_no_end():
    begun, ended = asyncio.Event(), asyncio.Event()

    async def conversation(self, wire):
        await wire.head()
        self.seen.append(await wire.exactly(8))
        begun.set()
        self.seen.append(await wire.rest())
        ended.set()

    async with backend(conversation) as service, running(route("api", service.port)) as proxy:
        data = request(b"POST / HTTP/1.1", b"Transfer-Encoding: chunked", body=b"3\r\nabc\r\n")
        async with await proxy.connect() as wire:
            await wire.send(data)
            async with asyncio.timeout(5):
                await begun.wait()
            await wire.send(b"0x5\r\nhello\r\n0\r\n\r\n" + GET)
            answer = await wire.rest()
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert answer.count(b"HTTP/1.1") == 1
        async with asyncio.timeout(5):
            await ended.wait()
        assert service.seen == [b"3\r\nabc\r\n", b""]


async def test_expect_continue_is_the_services_to_answer():
    async def conversation(self, wire):
        self.seen.append(await wire.head())
        await wire.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = await wire.exactly(5)
        await wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n" + body)

    async with backend(conversation) as service, running(route("api", service.port)) as proxy:
        async with await proxy.connect() as wire:
            await wire.send(request(b"POST / HTTP/1.1", b"Content-Length: 5", b"Expect: 100-continue"))
            assert await wire.head() == b"HTTP/1.1 100 Continue\r\n\r\n"
            await wire.send(b"hello")
            assert (await wire.response())[1] == b"hello"
        assert b"\r\nExpect: 100-continue\r\n" in service.seen[0]


async def test_an_early_answer_ends_the_connection_after_it():
    refused = reply(b"Content-Length: 2", body=b"no", status=b"413 Too Large")
    async with stage(refused) as (proxy, _), await proxy.connect() as wire:
        await wire.send(request(b"POST / HTTP/1.1", b"Content-Length: 100000000", b"Expect: 100-continue"))
        answer = await wire.rest()
        assert answer.startswith(b"HTTP/1.1 413 ")
        assert b"\r\nConnection: close\r\n" in answer
        assert answer.endswith(b"no")


@pytest.mark.parametrize("body", [b"no", b"n" * 90_000])
async def test_an_early_answer_passes_although_the_service_reads_no_more(body):
    """It closes with bytes unread, so its kernel sends a reset: our next write fails while the answer is here unread."""
    early = reply(b"Content-Length: %d" % len(body), b"Connection: close", body=body, status=b"413 Too Large")
    upload = b"z" * 3_000_000
    with listening() as listener:
        async with running(route("api", listener.getsockname()[1])) as proxy, asyncio.timeout(BOUND):
            loop = asyncio.get_running_loop()
            for _ in range(20):
                sending = asyncio.create_task(
                    proxy.say(
                        request(b"POST / HTTP/1.1", b"Content-Length: 3000000", b"Connection: close", body=upload)
                    )
                )
                connection, _ = await loop.sock_accept(listener)
                with connection:
                    assert await loop.sock_recv(connection, 4_096)
                    await loop.sock_sendall(connection, early)
                got = await sending
                assert got.startswith(b"HTTP/1.1 413 Too Large\r\n")
                assert got.endswith(HEAD_END + body)


# Problems


async def test_a_problem_keeps_the_connection_when_the_body_is_here():
    async with stage(OK) as (proxy, _), await proxy.connect() as wire:
        for _ in range(2):
            await wire.send(b"POST / HTTP/1.1\r\nHost: no.dev.test\r\nContent-Length: 5\r\n\r\nhello")
            head, _ = await wire.response()
            assert head.startswith(b"HTTP/1.1 404 ")
            assert b"Connection" not in head
        await wire.send(b"HEAD / HTTP/1.1\r\nHost: no.dev.test\r\n\r\n")
        assert (await wire.head()).startswith(b"HTTP/1.1 404 ")
        await wire.send(GET)
        assert (await wire.response())[1] == b"ok"


STATES = [
    (State.STARTING, b"503", True),
    (State.RESTARTING, b"503", True),
    (State.UNHEALTHY, b"503", True),
    (State.UNREACHABLE, b"502", False),
]


@pytest.mark.parametrize(("state", "status", "waits"), STATES)
async def test_a_route_that_is_not_live_says_why(state, status, waits):
    async with running(route("api", 1, state=state, reason="it is on a network of its own"), hold=0.0) as proxy:
        answer = await proxy.say(LAST)
        assert answer.startswith(b"HTTP/1.1 " + status)
        assert b"it is on a network of its own" in answer
        assert (b"\r\nRetry-After: 1\r\n" in answer) is waits


async def test_a_loop_is_508():
    async with stage(OK) as (proxy, _):
        proxy.route(route("api", proxy.port))
        assert (await proxy.say(LAST)).startswith(b"HTTP/1.1 508 Loop Detected\r\n")
        looped = request(b"GET / HTTP/1.1", b"Devdns-Hop: " + INSTANCE.encode(), b"Connection: close")
        assert (await proxy.say(looped)).startswith(b"HTTP/1.1 508 ")


async def test_two_that_lead_to_each_other_are_a_loop_found_within_a_second():
    async with running() as one, running() as other:
        other.view.hello = Hello(1, "another", other.view.hello.config)
        one.route(route("api", other.port))
        other.route(route("api", one.port))
        async with asyncio.timeout(1):
            assert (await one.say(LAST)).startswith(b"HTTP/1.1 508 ")
        assert [each.proxy.counters.connections for each in (one, other)] == [2, 1]


async def test_a_fault_of_ours_is_500_and_logged_once(capsys):
    async with stage(OK) as (proxy, _):
        table, proxy.view.table = proxy.view.table, None
        assert (await proxy.say(GET)).startswith(b"HTTP/1.1 500 ")
        proxy.view.table = table
        proxy.proxy.context.replies.get = None
        assert (await proxy.say(GET)).startswith(b"HTTP/1.1 500 ")
        assert proxy.proxy.counters.in_flight == 0
    logged = capsys.readouterr().out
    assert logged.count("request failed") == logged.count("response failed") == 1


async def test_options_strip_the_prefix_and_set_the_host():
    async with stage(OK) as (proxy, service):
        proxy.route(route("api/v2", service.port, strip=True, host="localhost:9000"))
        for target in (b"/v2/a?b", b"/v2", b"/v2?x"):
            await proxy.say(request(b"GET " + target + b" HTTP/1.1", b"Connection: close"))
        assert [head.split(b"\r\n")[0].split(b" ")[1] for head in service.seen] == [b"/a?b", b"/", b"/?x"]
        assert b"\r\nHost: localhost:9000\r\n" in service.seen[0]
        assert b"\r\nX-Forwarded-Host: api.dev.test\r\n" in service.seen[0]
        assert b"\r\nX-Forwarded-Prefix: /v2\r\n" in service.seen[0]
        assert (await proxy.say(LAST)).startswith(b"HTTP/1.1 404 ")
