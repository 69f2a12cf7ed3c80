"""What one request is to us is one request to the servers that others wrote: mutated requests, counted on both sides."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
from support.http_mutations import LAST, mutated
from support.http_proxy import INSTANCE, route, running
from support.node import NODE, need_node
from support.parts import need
from support.ports import free_port
from support.waiting import until

pytestmark = pytest.mark.evidence
ROUNDS = 2_000
#: Every server writes one line per request that it has read whole: Devdns-Hop, X-Request-ID and Host as it saw them.
ASGI = """
import os
async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    while (message := await receive()).get("more_body"):
        pass
    if message["type"] == "http.disconnect":
        return
    fields = [[v.decode("latin-1") for n, v in scope["headers"] if n == name] for name in (b"devdns-hop", b"x-request-id", b"host")]
    os.write(int(os.environ["SEEN"]), ("|".join(",".join(each) for each in fields) + "\\n").encode("latin-1"))
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})
"""
AIOHTTP = """
import os, sys
from aiohttp import web
async def app(request):
    await request.read()
    fields = [",".join(request.headers.getall(name, [])) for name in ("Devdns-Hop", "X-Request-ID", "Host")]
    os.write(int(os.environ["SEEN"]), ("|".join(fields) + "\\n").encode("utf-8", "surrogateescape"))
    return web.Response(text="ok")
server = web.Application()
server.router.add_route("*", "/{rest:.*}", app)
web.run_app(server, host="127.0.0.1", port=int(sys.argv[1]), print=None, access_log=None)
"""
WSGI = """
import os
def app(environ, start_response):
    environ["wsgi.input"].read()
    fields = [environ.get(name, "") for name in ("HTTP_DEVDNS_HOP", "HTTP_X_REQUEST_ID", "HTTP_HOST")]
    os.write(int(os.environ["SEEN"]), ("|".join(fields) + "\\n").encode("latin-1"))
    start_response("200 OK", [("Content-Length", "2")])
    return [b"ok"]
"""
SCRIPT = """
const fs = require("fs")
require("http").createServer((request, response) => {
  request.resume().on("end", () => {
    const fields = ["devdns-hop", "x-request-id", "host"].map((name) => request.headers[name] || "")
    fs.writeSync(Number(process.env.SEEN), Buffer.from(fields.join("|") + "\\n", "latin1"))
    response.setHeader("Content-Length", 2)
    response.end("ok")
  })
}).listen(Number(process.argv[2]), "127.0.0.1", 1024)
"""
NGINX = """
daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/errors;
events {{ worker_connections 1024; }}
http {{ client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u;
  scgi_temp_path {folder}/s; log_format seen "$http_devdns_hop|$http_x_request_id|$http_host";
  map $status $whole {{ 200 1; default 0; }}
  server {{ listen 127.0.0.1:{port}; access_log {folder}/seen seen if=$whole; location / {{ return 200 "ok"; }} }} }}
"""


def command(name: str, folder: Path, port: int) -> list[str]:
    """How to start the server `name` on `port`."""
    if name == "nginx":
        need("nginx")
        folder.joinpath("nginx.conf").write_text(NGINX.format(folder=folder, port=port))
        return ["nginx", "-c", str(folder / "nginx.conf")]
    if name == "aiohttp":
        folder.joinpath("served.py").write_text(AIOHTTP)
        return [sys.executable, "served.py", str(port)]
    if name == "node":
        need_node()
        folder.joinpath("server.js").write_text(SCRIPT)
        return [str(NODE), str(folder / "server.js"), str(port)]
    module, _, parser = name.partition("/")
    if importlib.util.find_spec(module) is None or (parser and importlib.util.find_spec(parser) is None):
        pytest.skip(f"{name} missing: pip install --group evidence")
    folder.joinpath("served.py").write_text(WSGI if module == "gunicorn" else ASGI)
    if module == "gunicorn":
        return [
            sys.executable,
            "-m",
            "gunicorn",
            "-k",
            "gthread",
            "--threads",
            "4",
            "-b",
            f"127.0.0.1:{port}",
            "served:app",
        ]
    return [
        sys.executable,
        "-m",
        "uvicorn",
        "--http",
        parser,
        "--port",
        str(port),
        "--log-level",
        "error",
        "served:app",
    ]


@contextlib.contextmanager
def serving(name: str, folder: Path, port: int):
    """The server `name`, and the file of what it saw."""
    line = command(name, folder, port)
    with (folder / "seen").open("ab") as seen, (folder / "out").open("wb") as out:
        process = subprocess.Popen(
            line, cwd=folder, pass_fds=[seen.fileno()], env={**os.environ, "SEEN": str(seen.fileno())},
            stdout=out, stderr=out,
        )  # fmt: skip
    try:
        yield folder / "seen"
    finally:
        process.terminate()
        process.wait(10)


async def listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


async def ask(proxy, data: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    writer.write(data)
    writer.write_eof()
    with contextlib.suppress(ConnectionError):
        async with asyncio.timeout(20):
            await reader.read()
    writer.close()


@pytest.mark.parametrize("name", ["aiohttp", "uvicorn/h11", "uvicorn/httptools", "gunicorn", "node", "nginx"])
async def test_both_sides_count_the_same(name, tmp_path):
    source, port = random.Random(name), free_port()
    with serving(name, tmp_path, port) as log:
        async with asyncio.timeout(20):
            while not await listens(port):  # noqa: ASYNC110 # another process starts: it has no event for us
                await asyncio.sleep(0.05)
        async with running(route("api", port)) as proxy:
            for _ in range(ROUNDS):
                await ask(proxy, mutated(source) + LAST)
            tally = proxy.proxy.counters.tallies["api.dev.test"].statuses
            await until(lambda: len(log.read_bytes().splitlines()) >= tally[200])
    seen = [line.split(b"|") for line in log.read_bytes().splitlines()]
    print(f"\n{name}: {ROUNDS} mutated pairs, {len(seen)} requests seen, answered {dict(tally)}")
    assert len(seen) == tally[200] > ROUNDS // 5
    assert {hop for hop, _, _ in seen} == {INSTANCE.encode()}
    assert len({request_id for _, request_id, _ in seen}) == len(seen)
    assert all(b"," not in request_id and b"," not in host for _, request_id, host in seen)
