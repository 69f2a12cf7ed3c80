"""gRPC through the proxy, grpcio on both sides: the four kinds of calls, errors, deadline and cancel."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import grpc
import grpc.aio
import pytest
import pytest_asyncio
from support.grpc_service import BOUND, NAMED, Stub, grpc_service, make_the_four_kinds_of_calls
from support.http_proxy import backend, route, running
from support.http_tls import certificate
from support.https_proxy import authority, securely
from support.waiting import until

from devdns_proxy.limits import Limits


@pytest.fixture(scope="module")
def signed(tmp_path_factory):
    return certificate(tmp_path_factory.mktemp("grpc"), "api")


@pytest_asyncio.fixture(params=["h2c", "https"])
async def called(request, signed):
    """The stub of a client, the service, and the proxy between them; the service speaks h2c, or TLS."""
    keys = [(signed[1].read_bytes(), signed[0].read_bytes())] if request.param == "https" else []
    async with AsyncExitStack() as stack:
        echo, port = await stack.enter_async_context(grpc_service(*keys))
        proxy = await stack.enter_async_context(running(route("api", f"{request.param}://127.0.0.1:{port}")))
        channel = grpc.aio.insecure_channel(f"127.0.0.1:{proxy.port}", options=NAMED)
        await stack.enter_async_context(channel)
        yield Stub(channel), echo, proxy


async def test_the_four_kinds_of_calls(called):
    await make_the_four_kinds_of_calls(called[0])


async def test_calls_in_tls_to_a_service_in_the_clear():
    credentials = grpc.ssl_channel_credentials(authority().pem.read_bytes())
    there = (("grpc.ssl_target_name_override", "api.dev.test"), *NAMED)
    async with AsyncExitStack() as stack:
        _, port = await stack.enter_async_context(grpc_service())
        proxy = await stack.enter_async_context(securely(route("api", f"h2c://127.0.0.1:{port}")))
        channel = grpc.aio.secure_channel(f"127.0.0.1:{proxy.secure}", credentials, options=there)
        await stack.enter_async_context(channel)
        await make_the_four_kinds_of_calls(Stub(channel))


async def test_both_sides_of_a_call_speak_in_turn(called):
    stub, _, _ = called
    call = stub.both(timeout=BOUND)
    for word in (b"one", b"two", b"three"):
        await call.write(word)
        assert await call.read() == word.upper()
    await call.done_writing()
    assert await call.read() is grpc.aio.EOF
    assert await call.code() is grpc.StatusCode.OK


async def test_errors_come_as_the_service_said_them(called):
    stub, _, _ = called
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await stub.fail(b"", timeout=BOUND)
    assert (failed.value.code(), failed.value.details()) == (grpc.StatusCode.NOT_FOUND, "no such thing: \u00e9")
    assert dict(failed.value.trailing_metadata())["x-why"] == "because"
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await stub.none(b"", timeout=BOUND)
    assert failed.value.code() is grpc.StatusCode.UNIMPLEMENTED
    call = stub.half(b"", timeout=BOUND)
    assert await call.read() == b"half"
    assert await call.code() is grpc.StatusCode.DATA_LOSS


async def test_a_deadline_ends_the_call_at_both_ends(called):
    stub, echo, _ = called
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await stub.stay(b"", timeout=0.2)
    assert failed.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    async with asyncio.timeout(BOUND):
        await echo.cancelled.wait()


async def test_a_cancel_reaches_the_service(called):
    stub, echo, _ = called
    call = stub.stay(b"")
    async with asyncio.timeout(BOUND):
        await echo.began.wait()
        call.cancel()
        await echo.cancelled.wait()
    assert await stub.unary(b"still", timeout=BOUND) == b"still"


async def test_a_service_that_is_not_there_is_unavailable(called):
    stub, _, proxy = called
    proxy.route()
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await stub.unary(b"", timeout=BOUND)
    assert failed.value.code() in (grpc.StatusCode.UNIMPLEMENTED, grpc.StatusCode.UNAVAILABLE)


async def silent(_, wire):
    await wire.rest()


async def test_a_call_may_be_silent_before_it_is_answered():
    """For longer than a client of HTTP/1.1 may be, who began after it."""
    async with AsyncExitStack() as stack:
        _, port = await stack.enter_async_context(grpc_service())
        service = await stack.enter_async_context(backend(silent))
        there = route("api", f"h2c://127.0.0.1:{port}"), route("web", service.port)
        proxy = await stack.enter_async_context(running(*there, limits=Limits(stall_time=0.1)))
        channel = grpc.aio.insecure_channel(f"127.0.0.1:{proxy.port}", options=NAMED)
        await stack.enter_async_context(channel)
        call = Stub(channel).up(timeout=BOUND)
        await call.write(b"one")
        await until(lambda: any(client._upstream for client in proxy.proxy.context.clients))
        stalled = await proxy.say(b"POST / HTTP/1.1\r\nHost: web.dev.test\r\nTransfer-Encoding: chunked\r\n\r\n")
        assert stalled.startswith(b"HTTP/1.1 408 ")
        await call.write(b"two")
        await call.done_writing()
        assert await call == b"onetwo"
