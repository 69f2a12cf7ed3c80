"""The TLS listener as real TLS clients see it: certificates by name, protocols, 421, redirects, resumption, what is not TLS."""

import asyncio
import ssl
import subprocess

import pytest
from support.http_proxy import GET, LAST, OK, answering, backend, route
from support.https_proxy import authority, securely, zone_leaf
from support.parts import need
from support.waiting import until

from devdns_proxy.limits import Limits


def request(host, path="/", *fields):
    return "\r\n".join([f"GET {path} HTTP/1.1", f"Host: {host}", *fields, "", ""]).encode()


async def test_a_request_by_tls_is_like_one_without_but_for_what_is_said_of_it():
    async with (
        backend(answering(OK)) as service,
        securely(route("api", service.port)) as proxy,
        await proxy.encrypted() as wire,
    ):
        for _ in range(3):
            await wire.send(GET)
            head, body = await wire.response()
            assert head.startswith(b"HTTP/1.1 200 OK\r\n")
            assert body == b"ok"
        await wire.send(LAST)
        assert (await wire.rest()).endswith(b"\r\n\r\nok")
    assert b"\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Port: 443\r\n" in service.seen[0]
    assert b";proto=https\r\n" in service.seen[0]


async def test_large_bodies_pass_both_ways_and_a_slow_reader_holds_the_service_back():
    size = 8 << 20

    async def echo(_, wire):
        head = await wire.head()
        assert b"Content-Length: %d\r\n" % size in head
        body = await wire.exactly(size)
        await wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + body)

    async with (
        backend(echo) as service,
        securely(route("api", service.port)) as proxy,
        await proxy.encrypted() as wire,
    ):
        body = bytes(range(256)) * (size >> 8)
        wire.writer.write(b"POST / HTTP/1.1\r\nHost: api.dev.test\r\nContent-Length: %d\r\n\r\n" % size + body)
        head = await wire.head()
        assert head.startswith(b"HTTP/1.1 200")
        await until(lambda: any(each.paused for each in proxy.proxy.context.clients))
        assert all(each.transport.get_write_buffer_size() < 1 << 20 for each in proxy.proxy.context.clients)
        assert await wire.exactly(size) == body


async def test_a_certificate_by_name_asked_for_once_and_the_first_for_who_names_none():
    deep = authority().leaf("*.api.dev.test")
    async with securely(route("*.api", 1)) as proxy:
        proxy.issuer.more["a.api.dev.test"] = deep
        for name in ("a.api.dev.test", "b.api.dev.test"):
            async with await proxy.encrypted(name):
                pass
        assert proxy.issuer.asked == ["a.api.dev.test"]
        async with await proxy.encrypted(None) as wire:
            shown = wire.writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        assert shown == ssl.PEM_cert_to_DER_cert(zone_leaf().chain)
        async with await proxy.encrypted("api.dev.test"):
            pass
        assert proxy.issuer.asked == ["a.api.dev.test"]


@pytest.mark.parametrize("silent", [False, True])
async def test_a_name_that_control_has_nothing_for_gets_what_there_is(silent):
    async with securely() as proxy:
        proxy.issuer.silent = silent
        for _ in range(2):
            with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
                await proxy.encrypted("a.b.dev.test")
        with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
            await proxy.encrypted("example.com")
    assert set(proxy.issuer.asked) == {"a.b.dev.test"}
    assert silent or len(proxy.issuer.asked) == 1  # what was refused is not asked for again at once


async def test_leaves_that_were_there_go_on_without_control_and_new_ones_take_their_place():
    fresh = authority().leaf("dev.test", "*.dev.test")
    async with securely() as proxy:
        proxy.issuer.push(fresh)
        wardrobe = proxy.proxy.context.wardrobe
        wanted = ssl.PEM_cert_to_DER_cert(fresh.chain)

        async def shown():
            async with await proxy.encrypted() as wire:
                return wire.writer.get_extra_info("ssl_object").getpeercert(binary_form=True)

        await until(lambda: wardrobe._pushed["dev.test"].leaf == fresh)
        assert await shown() == wanted
        proxy.issuer.hang_up()
        await until(lambda: wardrobe.send is None)
        assert await shown() == wanted


async def test_without_any_leaf_the_handshake_is_refused():
    async with securely(leaves=()) as proxy:
        with pytest.raises(ssl.SSLError, match="INTERNAL_ERROR"):
            await proxy.encrypted()


async def test_a_request_for_another_name_than_the_connections_gets_421_and_the_next_one_its_answer():
    async with backend(answering(OK)) as service:
        one, other = route("api", service.port), route("web", service.port)
        async with securely(one, other, route("*.many", service.port)) as proxy:
            proxy.issuer.more["a.many.dev.test"] = authority().leaf("*.many.dev.test")
            async with await proxy.encrypted("api.dev.test") as wire:
                for host in ("web.dev.test", "devdns.dev.test", "unknown.dev.test"):
                    await wire.send(request(host))
                    head, body = await wire.response()
                    assert head.startswith(b"HTTP/1.1 421 Misdirected Request\r\n")
                    assert b"opened for api.dev.test" in body
                await wire.send(request("API.dev.test.:8443"))
                assert (await wire.response())[1] == b"ok"
            async with await proxy.encrypted("a.many.dev.test") as wire:  # one route answers both
                await wire.send(request("b.many.dev.test"))
                assert (await wire.response())[1] == b"ok"
            for none in (None, "127.0.0.1"):
                settings = authority().trusting()
                settings.check_hostname = False
                async with await proxy.encrypted(none, settings) as wire:
                    await wire.send(GET)
                    assert (await wire.response())[1] == b"ok"


@pytest.mark.parametrize("everywhere", [False, True])
async def test_who_comes_without_tls_is_sent_there(everywhere):
    async with backend(answering(OK)) as service:
        routes = route("api", service.port, redirect=not everywhere), route("web", service.port)
        async with securely(*routes, redirect=everywhere) as proxy:
            async with await proxy.connect() as wire:
                await wire.send(b"POST /a%20b?c=d\xe9 HTTP/1.1\r\nHost: api.dev.test:1\r\nContent-Length: 2\r\n\r\nhi")
                head, _ = await wire.response()
                assert head.startswith(b"HTTP/1.1 308 Permanent Redirect\r\n")
                assert f"\r\nLocation: https://api.dev.test:{proxy.secure}/a%20b?c=d%E9\r\n".encode() in head
                await wire.send(request("web.dev.test"))
                head, _ = await wire.response()
                assert head.startswith(b"HTTP/1.1 308" if everywhere else b"HTTP/1.1 200")
            async with await proxy.encrypted() as wire:
                await wire.send(GET)
                assert (await wire.response())[1] == b"ok"


async def test_hsts_is_the_services_matter():
    reply = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nStrict-Transport-Security: max-age=9\r\n\r\n"
    async with (
        backend(answering(OK, reply)) as service,
        securely(route("api", service.port)) as proxy,
        await proxy.encrypted() as wire,
    ):
        await wire.send(GET)
        assert b"strict-transport" not in (await wire.response())[0].lower()
        await wire.send(GET)
        assert b"\r\nStrict-Transport-Security: max-age=9\r\n" in (await wire.response())[0]


async def test_what_is_not_tls_is_told_so_and_no_more():
    async with securely() as proxy:
        for said, answer in (
            (GET, b"HTTP/1.1 400 Bad Request\r\n"),
            (b"\x00\x01garbage", b""),
            (b"SSH-2.0-x\r\n", b""),
        ):
            reader, writer = await asyncio.open_connection("127.0.0.1", proxy.secure)
            writer.write(said)
            async with asyncio.timeout(10):
                got = await reader.read()
            assert got.startswith(answer)
            assert bool(got) == bool(answer)
            if got:
                assert f"https://api.dev.test:{proxy.secure}/".encode() in got
            writer.close()


async def test_who_does_not_finish_the_handshake_is_let_go_and_counts_meanwhile():
    limits = Limits(hello_time=0.3, head_time=0.3, connections_loopback=3, connections_elsewhere=3)
    async with securely(limits=limits) as proxy:
        silent = [await asyncio.open_connection("127.0.0.1", proxy.secure) for _ in range(5)]
        await until(lambda: len(proxy.proxy.context.greetings) == 3)
        async with asyncio.timeout(10):
            assert [await reader.read() for reader, _ in silent[:2]] == [b"", b""]  # the oldest make room
            assert [await reader.read() for reader, _ in silent[2:]] == [b""] * 3
        assert not proxy.proxy.context.greetings
        assert not len(proxy.proxy.context.crowds)
        for _, writer in silent:
            writer.close()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_a_session_is_resumed_also_after_its_leaf_was_renewed(version):
    async with backend(answering(OK)) as service, securely(route("api", service.port)) as proxy:
        script = f"""
import socket, ssl
settings = ssl.create_default_context(cafile={str(authority().pem)!r})
settings.maximum_version = ssl.TLSVersion({int(version)})
session = None
for round in range(3):
    with socket.create_connection(("127.0.0.1", {proxy.secure}), 10) as sock:
        with settings.wrap_socket(sock, server_hostname="api.dev.test", session=session) as tls:
            tls.sendall({LAST!r})
            while tls.recv(4096): pass
            print(tls.session_reused, flush=True)
            session = tls.session
    if round == 1:
        input()
"""
        child = await asyncio.create_subprocess_exec(
            *("python3", "-c", script), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
        )
        async with asyncio.timeout(20):
            assert [await child.stdout.readline() for _ in range(2)] == [b"False\n", b"True\n"]
            proxy.issuer.push(authority().leaf("dev.test", "*.dev.test"))
            await until(lambda: proxy.proxy.context.wardrobe._pushed["dev.test"].leaf is not zone_leaf())
            child.stdin.write(b"\n")
            assert await child.stdout.readline() == b"True\n"
            await child.wait()


async def test_nothing_older_than_tls_1_2_and_no_weak_cipher():
    need("openssl")
    async with securely(route("api", 1)) as proxy:

        async def shaken(*more):
            command = ["openssl", "s_client", "-connect", f"127.0.0.1:{proxy.secure}", "-servername", "api.dev.test"]
            done = await asyncio.to_thread(
                subprocess.run, [*command, *more], input=b"", capture_output=True, timeout=20, check=False
            )
            return done.returncode == 0

        assert await shaken("-tls1_3")
        assert await shaken("-tls1_2")
        assert not await shaken("-tls1_1", "-cipher", "ALL:@SECLEVEL=0")
        assert not await shaken("-tls1_2", "-cipher", "AES256-SHA")
        assert not await shaken("-tls1_2", "-cipher", "ECDHE-ECDSA-AES256-SHA")


async def test_a_hello_in_single_bytes_and_requests_right_behind_the_handshake():
    async with backend(answering(OK)) as service, securely(route("api", service.port)) as proxy:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = authority().trusting().wrap_bio(incoming, outgoing, server_hostname="api.dev.test")
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.secure)
        writer.get_extra_info("socket").setsockopt(6, 1, 1)  # TCP_NODELAY
        with pytest.raises(ssl.SSLWantReadError):
            tls.do_handshake()
        for byte in outgoing.read():
            writer.write(bytes([byte]))
            await asyncio.sleep(0)
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                async with asyncio.timeout(10):
                    incoming.write(await reader.read(65_536))
        tls.write(GET + LAST)
        writer.write(outgoing.read())  # the client's Finished and two requests at once
        got = b""
        async with asyncio.timeout(10):
            while data := await reader.read(65_536):
                incoming.write(data)
                while incoming.pending:
                    try:
                        got += tls.read(65_536)
                    except ssl.SSLWantReadError:
                        break
        assert got.count(b"HTTP/1.1 200 OK\r\n") == 2
        writer.close()
