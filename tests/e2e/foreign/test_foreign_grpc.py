"""gRPC through the proxy with grpc-js, which makes both sides of it from Node's own HTTP/2."""

from __future__ import annotations

import asyncio
import json
import os
from contextlib import asynccontextmanager

import grpc.aio
from support.grpc_service import BOUND, NAMED, Stub, grpc_service, make_the_four_kinds_of_calls
from support.http_proxy import route, running
from support.node import MODULES, NODE, need_node
from support.source import ROOT

SCRIPT = ROOT / "tests" / "support" / "foreign" / "grpc.js"
ENVIRONMENT = {**os.environ, "NODE_PATH": str(MODULES)}
#: What grpc.js prints of a service that does as `Echo` does: codes are those of gRPC.
SEEN = {
    "unary": {"initial": "something", "answer": "hello", "last": ["yes", [0, 255]]},
    "down": ["n0", "n1", "n2"],
    "up": 300_001,
    "both": ["ONE", "TWO"],
    "fail": {"code": 5, "details": "no such thing: \u00e9", "why": "because"},
    "half": {"code": 15, "details": "the rest is lost", "why": "", "heard": ["half"]},
    "late": 4,
    "cancelled": 1,
    "left": "2",
}


@asynccontextmanager
async def node_service():
    """The port of the same service on grpc-js."""
    need_node()
    command = (str(NODE), str(SCRIPT), "serve")
    process = await asyncio.create_subprocess_exec(*command, env=ENVIRONMENT, stdout=asyncio.subprocess.PIPE)
    try:
        async with asyncio.timeout(BOUND):
            yield int(await process.stdout.readline())
    finally:
        process.kill()
        await process.wait()


async def seen_by_node(port: int) -> object:
    """What a client on grpc-js sees of the service under the name `api.dev.test` at the proxy's `port`."""
    need_node()
    command = (str(NODE), str(SCRIPT), "call", str(port))
    process = await asyncio.create_subprocess_exec(*command, env=ENVIRONMENT, stdout=asyncio.subprocess.PIPE)
    async with asyncio.timeout(BOUND):
        told, _ = await process.communicate()
    return json.loads(told)


async def test_grpc_js_calls_grpcio():
    async with grpc_service() as (_, port), running(route("api", f"h2c://127.0.0.1:{port}")) as proxy:
        assert await seen_by_node(proxy.port) == SEEN


async def test_grpc_js_is_called_by_itself_and_by_grpcio():
    async with node_service() as port, running(route("api", f"h2c://127.0.0.1:{port}")) as proxy:
        assert await seen_by_node(proxy.port) == SEEN
        async with grpc.aio.insecure_channel(f"127.0.0.1:{proxy.port}", options=NAMED) as channel:
            await make_the_four_kinds_of_calls(Stub(channel))
