"""slowhttptest's four modes, more connections than an address may have: a healthy client beside it does not notice."""

from __future__ import annotations

import asyncio
import contextlib
import time
from pathlib import Path

import pytest
from aiohttp import web
from support.http_proxy import LAST, listening, route, running
from support.parts import need
from support.waiting import until

pytestmark = pytest.mark.evidence
CONNECTIONS, SECONDS = 2_000, 15
MODES = {
    "slow heads": ["-H"],
    "slow bodies": ["-B", "-s", "100000"],
    "ranges": ["-R"],
    "slow readers": ["-X", "-n", "1", "-z", "1"],
}


def sockets() -> int:
    count = 0
    for each in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            count += each.readlink().name.startswith("socket:")
    return count


@contextlib.asynccontextmanager
async def service():
    """Takes bodies whole, and answers with enough to fill any buffer."""

    async def answer(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(body=bytes(1 << 20) if request.path == "/large" else b"ok")

    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    listener = listening()
    await web.SockSite(runner, listener, backlog=4_096).start()
    yield listener.getsockname()[1]
    await runner.cleanup()


async def healthy(proxy, until_done: asyncio.Task) -> list[float]:
    """The seconds that each request of a client took who asks every 20 ms, on a connection of its own."""
    took = []
    while not until_done.done():
        began = time.monotonic()
        assert (await proxy.say(LAST)).endswith(b"ok")
        took.append(time.monotonic() - began)
        await asyncio.sleep(0.02)
    return sorted(took)


@pytest.mark.parametrize("mode", MODES)
async def test_a_healthy_client_does_not_notice(mode):
    need("slowhttptest")
    async with service() as port, running(route("api", port)) as proxy:
        before = sockets()
        url = f"http://api.dev.test:{proxy.port}/{'large' if mode == 'slow readers' else ''}"
        attack = await asyncio.create_subprocess_exec(
            "slowhttptest", *MODES[mode], "-c", str(CONNECTIONS), "-r", "500", "-i", "1", "-l", str(SECONDS), "-p", "2",
            "-d", f"127.0.0.1:{proxy.port}", "-u", url, stdout=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        async with asyncio.timeout(SECONDS * 3):
            took = await healthy(proxy, asyncio.ensure_future(attack.wait()))
        late = took[len(took) * 99 // 100]
        peak = proxy.proxy.counters.connections
        print(
            f"\n{mode}: {peak} connections, healthy p99 {late * 1000:.1f} ms of {len(took)}, worst {took[-1] * 1000:.1f} ms"
        )
        assert late < 1.0
        await until(lambda: sockets() <= before + 10, bound=90.0)
