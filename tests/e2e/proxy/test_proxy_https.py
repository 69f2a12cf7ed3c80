"""Services that speak TLS: what they are sent, whose certificate is checked, and a clear 502 for what is wrong."""

from __future__ import annotations

import asyncio
import ssl
import warnings

import pytest
from aiohttp import ClientSession, web
from support.http_proxy import BOUND, GET, LAST, OK, UNHELD, answering, backend, listening, route, running
from support.http_tls import certificate, serving
from support.waiting import until

from devdns_proxy import secure
from devdns_proxy.limits import Limits
from devdns_proxy.secure import Trust


@pytest.fixture(scope="module")
def signed(tmp_path_factory):
    return certificate(tmp_path_factory.mktemp("tls"), "service", "DNS:localhost,IP:127.0.0.1")


@pytest.fixture
def strict(monkeypatch):
    """Loopback is checked like any other address."""
    monkeypatch.setattr(secure, "is_local", lambda _: False)


def tls(service, host="127.0.0.1"):
    return route("api", f"https://{host}:{service.port}")


async def test_a_self_signed_service_on_loopback_is_spoken_to(signed):
    asked: list[str | None] = []
    settings = serving(*signed, "h2", "http/1.1")
    settings.sni_callback = lambda connection, name, _: asked.append((name, connection))
    async with backend(answering(OK), tls=settings) as service, running(tls(service)) as proxy:
        async with await proxy.connect() as wire:
            for _ in range(3):
                await wire.send(GET)
                assert (await wire.response())[1] == b"ok"
        assert service.connections == 1
        assert b"\r\nHost: api.dev.test\r\n" in service.seen[0]
        assert b"\r\nX-Forwarded-Proto: http\r\n" in service.seen[0]
        name, connection = asked[0]
        assert name is None
        assert connection.selected_alpn_protocol() == "http/1.1"
        proxy.route(tls(service, "localhost"))
        assert (await proxy.say(LAST)).endswith(b"ok")
        assert asked[1][0] == "localhost"


async def test_large_bodies_both_ways(signed):
    async def double(request: web.Request) -> web.Response:
        return web.Response(body=await request.read() * 2)

    app = web.Application(client_max_size=1 << 30)
    app.router.add_post("/", double)
    runner = web.AppRunner(app)
    await runner.setup()
    listener = listening()
    await web.SockSite(runner, listener, ssl_context=serving(*signed)).start()
    body = bytes(range(256)) * 2_000
    port = listener.getsockname()[1]
    async with running(route("api", f"https://127.0.0.1:{port}")) as proxy, ClientSession() as session:
        for _ in range(2):
            async with session.post(proxy.url(), data=body, headers={"Host": "api.dev.test"}) as response:
                assert await response.read() == body * 2
    await runner.cleanup()


async def test_a_body_that_ends_with_its_connection(signed):
    async def conversation(self, wire):
        self.seen.append(await wire.head())
        await wire.send(b"HTTP/1.1 200 OK\r\n\r\nhello")

    async with backend(conversation, tls=serving(*signed)) as service, running(tls(service)) as proxy:
        assert (await proxy.say(LAST)).endswith(b"5\r\nhello\r\n0\r\n\r\n")


async def test_a_tunnel_over_tls_ends_with_either_side(signed, caplog):
    offer = b"GET / HTTP/1.1\r\nHost: api.dev.test\r\nConnection: upgrade\r\nUpgrade: foo\r\n\r\n"
    ends = asyncio.Event()

    async def conversation(_, wire):
        await wire.head()
        await wire.send(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: foo\r\n\r\n")
        while data := await wire.reader.read(100):
            await wire.send(data)
            if data == b"leave":
                return
        ends.set()

    async with backend(conversation, tls=serving(*signed)) as service, running(tls(service)) as proxy:
        async with await proxy.connect() as wire:
            await wire.send(offer + b"echo")
            assert (await wire.head()).startswith(b"HTTP/1.1 101 ")
            assert await wire.exactly(4) == b"echo"
            wire.writer.write_eof()
            assert await wire.rest() == b""
        async with asyncio.timeout(BOUND):
            await ends.wait()
        async with await proxy.connect() as wire:
            await wire.send(offer + b"leave")
            await wire.head()
            assert await wire.rest() == b"leave"
        await until(lambda: not proxy.proxy.context.tunnels)
    assert not caplog.records


# What is checked


@pytest.mark.usefixtures("strict")
async def test_an_unknown_authority_is_a_502_that_says_so(signed):
    async with backend(answering(OK), tls=serving(*signed)) as service, running(tls(service)) as proxy:
        answer = await proxy.say(LAST)
        assert answer.startswith(b"HTTP/1.1 502 ")
        assert b"has a certificate that is not trusted here (self-signed certificate)" in answer
        assert not service.seen


@pytest.mark.usefixtures("strict")
async def test_an_authority_added_later_is_trusted_once_the_store_is_read_again(signed, monkeypatch):
    async with backend(answering(OK), tls=serving(*signed)) as service, running(tls(service, "localhost")) as proxy:
        assert (await proxy.say(LAST)).startswith(b"HTTP/1.1 502 ")
        monkeypatch.setenv("SSL_CERT_FILE", str(signed[0]))
        monkeypatch.setattr(secure, "STALE", -1.0)
        assert (await proxy.say(LAST)).startswith(b"HTTP/1.1 502 ")  # this one read it again
        assert (await proxy.say(LAST)).endswith(b"ok")


@pytest.mark.usefixtures("strict")
async def test_a_certificate_must_name_the_target(tmp_path, monkeypatch):
    other = certificate(tmp_path, "other", "DNS:other.example")
    monkeypatch.setenv("SSL_CERT_FILE", str(other[0]))
    async with backend(answering(OK), tls=serving(*other)) as service, running(tls(service, "localhost")) as proxy:
        answer = await proxy.say(LAST)
    assert b"certificate is not valid for &#x27;localhost&#x27;" in answer or b"not valid for 'localhost'" in answer


async def test_plain_http_behind_https_is_said(signed):
    async def plain(_, wire):
        await wire.reader.read(10)
        await wire.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async def silent(_, wire):
        await wire.reader.read(10)

    async with backend(plain) as service, running(tls(service)) as proxy:
        assert b"does not speak TLS: is it http:// there?" in await proxy.say(LAST)
    async with backend(silent) as service, running(tls(service)) as proxy:
        assert b"closed the connection during the TLS handshake" in await proxy.say(LAST)


async def test_a_version_that_openssl_refuses_is_said(signed):
    old = serving(*signed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    async with backend(answering(OK), tls=old) as service, running(tls(service), limits=UNHELD) as proxy:
        answer = await proxy.say(LAST)
    assert b"refused the TLS handshake (" in answer or b"closed the connection during the TLS handshake" in answer


async def test_a_handshake_that_never_ends_is_a_504(signed):
    async def deaf(_, wire):
        await wire.rest()

    limits = Limits(handshake_time=0.1)
    async with backend(deaf) as service, running(tls(service), limits=limits) as proxy:
        answer = await proxy.say(LAST)
    assert answer.startswith(b"HTTP/1.1 504 ")
    assert b"did not finish the TLS handshake within 0.1 s" in answer


@pytest.mark.parametrize(
    ("address", "checked"),
    [("127.0.0.1", False), ("127.8.8.8", False), ("::1", False), ("/run/x.sock", False), ("10.0.0.1", True),
     ("172.17.0.2", True), ("192.0.2.1", True), ("fd00::1", True), ("2001:db8::1%eth0", True)],
)  # fmt: skip
def test_only_loopback_is_not_checked(address, checked):
    settings = Trust(lambda: 0.0).settings(address)
    assert settings.verify_mode is (ssl.CERT_REQUIRED if checked else ssl.CERT_NONE)
    assert settings.check_hostname is checked
