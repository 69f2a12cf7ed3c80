"""A gRPC service of four methods, one of each kind, without generated code: messages are bytes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
import grpc.aio

NAME = "test.Echo"
BOUND = 20
#: For a client of the proxy, whose address it is given.
NAMED = (("grpc.default_authority", "api.dev.test"),)


class Echo(grpc.GenericRpcHandler):
    """Echoes. `cancelled` is set when a client gives up a call of `Stay`; `Left` says how many have been."""

    def __init__(self) -> None:
        self.cancelled = asyncio.Event()
        self.began = asyncio.Event()
        self.gone = 0

    def service(self, details):
        kinds = {
            f"/{NAME}/Unary": grpc.unary_unary_rpc_method_handler(self.unary),
            f"/{NAME}/Down": grpc.unary_stream_rpc_method_handler(self.down),
            f"/{NAME}/Up": grpc.stream_unary_rpc_method_handler(self.up),
            f"/{NAME}/Both": grpc.stream_stream_rpc_method_handler(self.both),
            f"/{NAME}/Fail": grpc.unary_unary_rpc_method_handler(self.fail),
            f"/{NAME}/Half": grpc.unary_stream_rpc_method_handler(self.half),
            f"/{NAME}/Stay": grpc.unary_unary_rpc_method_handler(self.stay),
            f"/{NAME}/Left": grpc.unary_unary_rpc_method_handler(self.left),
        }
        return kinds.get(details.method)

    async def unary(self, message: bytes, context) -> bytes:
        said = dict(context.invocation_metadata())
        await context.send_initial_metadata((("x-initial", said.get("x-said", "")),))
        context.set_trailing_metadata((("x-last", "yes"), ("x-last-bin", b"\0\xff")))
        return message

    async def down(self, message: bytes, _):
        for number in range(3):
            yield message + b"%d" % number

    async def up(self, messages, _) -> bytes:
        return b"".join([message async for message in messages])

    async def both(self, messages, _):
        async for message in messages:
            yield message.upper()

    async def fail(self, _: bytes, context) -> bytes:
        context.set_trailing_metadata((("x-why", "because"),))
        await context.abort(grpc.StatusCode.NOT_FOUND, "no such thing: \u00e9")

    async def half(self, _: bytes, context):
        yield b"half"
        await context.abort(grpc.StatusCode.DATA_LOSS, "the rest is lost")

    async def stay(self, _: bytes, __) -> bytes:
        self.began.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.gone += 1
            self.cancelled.set()
            raise
        return b""

    async def left(self, _: bytes, __) -> bytes:
        return b"%d" % self.gone


@asynccontextmanager
async def grpc_service(*credentials: tuple[bytes, bytes]) -> AsyncIterator[tuple[Echo, int]]:
    """The service and its port; `credentials`: key and chain in PEM, for TLS."""
    echo = Echo()
    server = grpc.aio.server(options=(("grpc.so_reuseport", 0),))
    server.add_generic_rpc_handlers((echo,))
    if credentials:
        port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials(credentials))
    else:
        port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield echo, port
    finally:
        await server.stop(None)


class Stub:
    """The calls of a client whose requests go to `port` under the name `api.dev.test`."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.unary = channel.unary_unary(f"/{NAME}/Unary")
        self.down = channel.unary_stream(f"/{NAME}/Down")
        self.up = channel.stream_unary(f"/{NAME}/Up")
        self.both = channel.stream_stream(f"/{NAME}/Both")
        self.fail = channel.unary_unary(f"/{NAME}/Fail")
        self.half = channel.unary_stream(f"/{NAME}/Half")
        self.stay = channel.unary_unary(f"/{NAME}/Stay")
        self.none = channel.unary_unary(f"/{NAME}/None")


async def make_the_four_kinds_of_calls(stub: Stub) -> None:
    async def messages():
        for word in (b"a", b"", b"c" * 300_000):
            yield word

    call = stub.unary(b"hello", metadata=(("x-said", "something"),), timeout=BOUND)
    assert await call == b"hello"
    assert dict(await call.initial_metadata())["x-initial"] == "something"
    last = dict(await call.trailing_metadata())
    assert (last["x-last"], last["x-last-bin"]) == ("yes", b"\0\xff")
    assert [each async for each in stub.down(b"n", timeout=BOUND)] == [b"n0", b"n1", b"n2"]
    assert await stub.up(messages(), timeout=BOUND) == b"ac" + b"c" * 299_999
    assert [each async for each in stub.both(messages(), timeout=BOUND)] == [b"A", b"", b"C" * 300_000]
