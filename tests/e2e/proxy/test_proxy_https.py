"""Services that speak TLS: what they are sent, whose certificate is checked, and a clear 502 for what is wrong."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import subprocess
import warnings
from contextlib import asynccontextmanager, suppress

import pytest
from aiohttp import ClientSession, web
from support.http_proxy import BOUND, GET, LAST, OK, UNHELD, answering, backend, listening, route, running
from support.http_tls import certificate, serving, signed_by
from support.parts import need
from support.waiting import until, wait_until

from devdns.core.routes import Route
from devdns.core.routes_file import read_line
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
    settings = serving(*signed, "http/1.1", "h2")
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


# What a route says of it


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return certificate(tmp_path_factory.mktemp("ca"), "authority", "DNS:authority")


@pytest.fixture(scope="module")
def nginx(authority):
    """The port of an nginx that shows a certificate of `authority` for localhost."""
    need("nginx")
    cert, key = signed_by(authority, "nginx", "DNS:localhost,IP:127.0.0.1")
    folder, (holder, port) = cert.parent, free_port()
    config = folder / "nginx.conf"
    config.write_text(
        f"daemon off; error_log stderr; pid {folder}/pid; worker_processes 1; events {{}}\n"
        f"http {{ access_log off; client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2;"
        f" fastcgi_temp_path {folder}/t3; uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5; server {{"
        f' listen 127.0.0.1:{port} ssl; ssl_certificate {cert}; ssl_certificate_key {key}; location / {{ return 200 "nginx"; }} }} }}\n'
    )
    holder.close()
    with subprocess.Popen(["nginx", "-e", "stderr", "-c", config], stderr=subprocess.DEVNULL) as running_one:
        wait_until(lambda: reached(port), what="nginx")
        yield port
        running_one.terminate()


def free_port():
    holder = socket.create_server(("127.0.0.1", 0))
    return holder, holder.getsockname()[1]


def reached(port):
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


def to(port, **options):
    """A route in TLS to this port, as a file would make it."""
    line = read_line("api", {"target": f"https://localhost:{port}", **options})
    return Route(host="api.dev.test", targets=line.targets, source="manual", options=line.options)


async def forget(proxy):
    """Closes the idle connections, which were trusted when they were made; in TLS that takes an answer of nginx."""
    proxy.proxy.context.pool.close()
    await until(lambda: not proxy.proxy.context.pool._shelves)


@asynccontextmanager
async def through(*routes):
    """A proxy that leaves no connection to nginx open."""
    async with running(*routes) as proxy:
        yield proxy
        await forget(proxy)


async def test_a_ca_file_is_what_counts_also_on_loopback(nginx, authority, signed):
    async with through(to(nginx, ca=str(authority[0]))) as proxy:
        assert (await proxy.say(LAST)).endswith(b"nginx")
        proxy.route(to(nginx, ca=str(signed[0])))
        refused = await proxy.say(LAST)
        assert refused.startswith(b"HTTP/1.1 502 ")
        assert b"has a certificate that is not trusted here" in refused
        proxy.route(to(nginx, ca=str(authority[0].with_name("nginx.pem"))))
        assert (await proxy.say(LAST)).endswith(b"nginx")  # the service's own certificate will do


async def test_verify_says_where_it_is_checked(nginx, monkeypatch):
    async with through(to(nginx)) as proxy:
        assert (await proxy.say(LAST)).endswith(b"nginx")
        proxy.route(to(nginx, verify=True))
        assert b"has a certificate that is not trusted here" in await proxy.say(LAST)
        monkeypatch.setattr(secure, "is_local", lambda _: False)
        await forget(proxy)
        proxy.route(to(nginx))
        assert b"has a certificate that is not trusted here" in await proxy.say(LAST)
        proxy.route(to(nginx, verify=False))
        assert (await proxy.say(LAST)).endswith(b"nginx")


async def test_a_connection_is_never_shared_by_routes_that_trust_differently(nginx, authority):
    loose, safe = to(nginx, verify=False), to(nginx, ca="/nowhere/ca.pem")
    async with through(loose) as proxy, await proxy.connect() as wire:
        await wire.send(GET)
        assert (await wire.response())[1] == b"nginx"
        assert len(proxy.proxy.context.pool) == 1
        proxy.route(safe)
        await wire.send(GET)
        assert (await wire.head()).startswith(b"HTTP/1.1 502 ")


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "no such file or directory"),
        (b"", "holds no certificate"),
        (b"\xff\x00 nothing", "holds no certificate"),
        (os.mkdir, "not a plain file"),
        (os.mkfifo, "not a plain file"),
    ],
    ids=["missing", "empty", "noise", "folder", "pipe"],
)
async def test_a_ca_file_that_cannot_be_used_is_one_line_in_the_502(nginx, tmp_path, content, why):
    path = tmp_path / "ca.pem"
    if callable(content):
        content(path)
    elif content is not None:
        path.write_bytes(content)
    async with through(to(nginx, ca=str(path))) as proxy:
        answer = await proxy.say(LAST)
    assert answer.startswith(b"HTTP/1.1 502 ")
    assert f"https://localhost:{nginx} cannot be checked: the CA file {path} cannot be used: {why}".encode() in answer


async def test_a_ca_file_is_read_again_when_it_is_another(nginx, authority, signed, tmp_path):
    path = tmp_path / "ca.pem"
    async with through(to(nginx, ca=str(path))) as proxy:
        assert (await proxy.say(LAST)).startswith(b"HTTP/1.1 502 ")
        path.write_bytes(authority[0].read_bytes())
        assert (await proxy.say(LAST)).endswith(b"nginx")
        path.with_name("new").write_bytes(signed[0].read_bytes())
        path.with_name("new").rename(path)
        await forget(proxy)
        assert b"not trusted here" in await proxy.say(LAST)


def test_files_that_come_and_go_do_not_gather(authority, tmp_path):
    trust = Trust(lambda: 0.0)
    for number in range(secure.MOST_FILES + 5):
        (tmp_path / f"{number}.pem").write_bytes(authority[0].read_bytes())
        first = trust.settings("10.0.0.1", str(tmp_path / f"{number}.pem"))
        assert trust.settings("10.0.0.1", str(tmp_path / f"{number}.pem")) is first
    assert len(trust._files) <= secure.MOST_FILES


@pytest.mark.parametrize(
    ("address", "checked"),
    [("127.0.0.1", False), ("127.8.8.8", False), ("::1", False), ("/run/x.sock", False), ("10.0.0.1", True),
     ("172.17.0.2", True), ("192.0.2.1", True), ("fd00::1", True), ("2001:db8::1%eth0", True)],
)  # fmt: skip
def test_only_loopback_is_not_checked(address, checked):
    settings = Trust(lambda: 0.0).settings(address)
    assert settings.verify_mode is (ssl.CERT_REQUIRED if checked else ssl.CERT_NONE)
    assert settings.check_hostname is checked
