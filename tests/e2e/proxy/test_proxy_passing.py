"""Services that speak TLS with their clients themselves: connections are handed to them by the name in the ClientHello."""

import asyncio
import socket
import ssl
import subprocess

import pytest
from support.http_proxy import GET, OK, answering, backend, route
from support.http_tls import serving
from support.https_proxy import authority, securely, written
from support.waiting import until

from devdns.core.routes import State
from devdns_proxy.limits import Limits


@pytest.fixture(scope="module")
def own():
    """What the service shows: a certificate that is not ours."""
    return serving(*written(authority().leaf("db.dev.test")))


def passed(*ports, **more):
    return route("db", *(f"tls://127.0.0.1:{port}" for port in ports), **more)


async def shown(wire):
    return wire.writer.get_extra_info("ssl_object").getpeercert()["subjectAltName"]


async def test_bytes_go_through_as_they_are_and_other_names_are_ours(own):
    async with backend(answering(OK), tls=own) as service, securely(passed(service.port)) as proxy:
        async with await proxy.encrypted("db.dev.test") as wire:
            assert await shown(wire) == (("DNS", "db.dev.test"),)
            await wire.send(GET)
            assert (await wire.response())[1] == b"ok"
            assert b"X-Forwarded" not in service.seen[0]
            assert len(proxy.proxy.context.tunnels) == 2
        async with await proxy.encrypted("api.dev.test") as wire:
            assert ("DNS", "*.dev.test") in await shown(wire)
        await until(lambda: not proxy.proxy.context.tunnels)


async def test_large_data_both_ways_with_a_slow_reader(own):
    size = 8 << 20

    async def echo(_, wire):
        await wire.send(await wire.exactly(size))

    async with (
        backend(echo, tls=own) as service,
        securely(passed(service.port)) as proxy,
        await proxy.encrypted("db.dev.test") as wire,
    ):
        data = bytes(range(256)) * (size >> 8)
        wire.writer.write(data)
        assert await wire.exactly(size) == data


async def test_a_connection_is_held_while_its_service_restarts(own):
    async with securely(passed(1, state=State.RESTARTING)) as proxy:
        coming = asyncio.ensure_future(proxy.encrypted("db.dev.test"))
        await until(lambda: len(proxy.proxy.context.holding) == 1)
        async with backend(answering(OK), tls=own) as service:
            proxy.route(passed(service.port))
            async with await coming as wire:
                await wire.send(GET)
                assert (await wire.response())[1] == b"ok"


async def test_what_closes_without_an_answer_is_tried_again_elsewhere(own):
    async def closes(_, wire):
        await wire.exactly(1)

    async with (
        backend(closes) as bad,
        backend(answering(OK), tls=own) as good,
        securely(passed(bad.port, good.port)) as proxy,
    ):
        for _ in range(4):
            async with await proxy.encrypted("db.dev.test") as wire:
                await wire.send(GET)
                assert (await wire.response())[1] == b"ok"
    assert bad.connections


@pytest.mark.parametrize(
    ("state", "alert"), [(State.LIVE, "INTERNAL_ERROR"), (State.UNHEALTHY, "INTERNAL_ERROR"), (None, "UNRECOGNIZED")]
)
async def test_what_cannot_be_is_an_alert(state, alert):
    with socket.socket() as dead:
        dead.bind(("127.0.0.1", 0))
        async with securely(
            passed(dead.getsockname()[1], state=state or State.RESTARTING), limits=Limits(refused_hold=0.0)
        ) as proxy:
            coming = asyncio.ensure_future(proxy.encrypted("db.dev.test"))
            if state is None:
                await until(lambda: len(proxy.proxy.context.holding) == 1)
                proxy.route()
            with pytest.raises(ssl.SSLError, match=alert):
                await coming
            assert not proxy.proxy.context.clients


async def test_a_plain_request_is_sent_to_https_and_one_that_we_can_read_is_not_passed_on(own):
    async with backend(answering(OK), tls=own) as service, securely(passed(service.port)) as proxy:
        async with await proxy.connect() as wire:
            await wire.send(GET.replace(b"api", b"db"))
            head, _ = await wire.response()
            assert head.startswith(b"HTTP/1.1 308 ")
            assert b"\r\nLocation: https://db.dev.test:" in head
        async with await proxy.encrypted(None) as wire:
            await wire.send(GET.replace(b"api", b"db"))
            head, body = await wire.response()
            assert head.startswith(b"HTTP/1.1 502 ")
            assert b"takes only TLS" in body
    assert not service.seen


async def test_a_client_that_leaves_gives_up_its_place():
    async with securely(passed(1, state=State.STARTING)) as proxy:
        coming = asyncio.ensure_future(proxy.encrypted("db.dev.test"))
        await until(lambda: len(proxy.proxy.context.holding) == 1)
        coming.cancel()
        await until(lambda: not len(proxy.proxy.context.holding))
        await until(lambda: not proxy.proxy.context.clients)


async def test_a_real_server_of_tls_12_and_13(own):
    async with backend(answering(OK), tls=own) as service, securely(passed(service.port)) as proxy:
        for version in ("-tls1_2", "-tls1_3"):
            command = [
                "openssl",
                "s_client",
                "-connect",
                f"127.0.0.1:{proxy.secure}",
                "-servername",
                "DB.dev.test",
                version,
            ]
            done = await asyncio.to_thread(subprocess.run, command, input=b"", capture_output=True, timeout=20)
            assert done.returncode == 0, done.stderr
