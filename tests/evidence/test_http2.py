"""HTTP/2 as others test it: h2spec whole, and nghttp2's h2load with a hundred thousand requests."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from aiohttp import web
from support.http_proxy import listening, route
from support.https_proxy import securely

pytestmark = pytest.mark.evidence
LEAST = 141  # of 146: Caddy's
HOSTS = "mount --bind {hosts} /etc/hosts && exec {h2spec} -h api.dev.test -p {port} -t -k -o 5"


async def answer(request: web.Request) -> web.Response:
    await request.read()
    return web.Response(text="hello world\n" * 10)


def h2spec(folder: Path) -> str:
    """The program, built where it is not there yet."""
    found = shutil.which("h2spec")
    if found is not None:
        return found
    if shutil.which("go") is None:
        pytest.skip("h2spec is missing, and Go to build it: go install github.com/summerwind/h2spec/cmd/h2spec@latest")
    build = ["go", "install", "github.com/summerwind/h2spec/cmd/h2spec@latest"]
    subprocess.run(build, env={**os.environ, "GOBIN": str(folder)}, check=True, timeout=300)
    return str(folder / "h2spec")


async def told(*command: str, bound: float = 300) -> str:
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    out, _ = await asyncio.wait_for(process.communicate(), bound)
    return out.decode()


@pytest.fixture
async def secure():
    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    sock = listening()
    await web.SockSite(runner, sock).start()
    async with securely(route("api", sock.getsockname()[1])) as proxy:
        yield proxy
    await runner.cleanup()


@pytest.mark.timeout(600)
async def test_h2spec_finds_no_more_than_in_caddy(secure, tmp_path):
    if os.geteuid() != 0:
        pytest.skip("needs root, for a hosts file of its own: sudo make evidence")
    hosts = tmp_path / "hosts"
    hosts.write_text("127.0.0.1 localhost api.dev.test\n")
    line = HOSTS.format(hosts=hosts, h2spec=h2spec(tmp_path), port=secure.secure)
    out = await told("unshare", "-m", "sh", "-c", line)
    tests, passed = map(int, re.search(r"([0-9]+) tests, ([0-9]+) passed", out).groups())
    print(f"h2spec: {passed} of {tests}")
    assert passed >= LEAST, out


@pytest.mark.timeout(600)
async def test_none_of_a_hundred_thousand_requests_fails(secure):
    load = ("h2load", "-n", "100000", "-c", "32", "-m", "10", "-H", ":authority: api.dev.test")
    out = await told(*load, f"https://127.0.0.1:{secure.secure}/")
    print(next(line for line in out.splitlines() if line.startswith("finished")))
    assert "100000 succeeded, 0 failed, 0 errored, 0 timeout" in out
    assert "100000 2xx" in out
