"""A gRPC service of four methods, one of each kind, without generated code: messages are bytes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
import grpc.aio

NAME = "test.Echo"


class Echo(grpc.GenericRpcHandler):
    """Echoes. `cancelled` is set when a client gives up a call of `Stay`."""

    def __init__(self) -> None:
        self.cancelled = asyncio.Event()
        self.began = asyncio.Event()

    def service(self, details):
        kinds = {
            f"/{NAME}/Unary": grpc.unary_unary_rpc_method_handler(self.unary),
            f"/{NAME}/Down": grpc.unary_stream_rpc_method_handler(self.down),
            f"/{NAME}/Up": grpc.stream_unary_rpc_method_handler(self.up),
            f"/{NAME}/Both": grpc.stream_stream_rpc_method_handler(self.both),
            f"/{NAME}/Fail": grpc.unary_unary_rpc_method_handler(self.fail),
            f"/{NAME}/Half": grpc.unary_stream_rpc_method_handler(self.half),
            f"/{NAME}/Stay": grpc.unary_unary_rpc_method_handler(self.stay),
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
            self.cancelled.set()
            raise
        return b""


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
