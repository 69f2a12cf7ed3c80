"""Clients that others wrote, before Node's server: curl, undici, and the hot updates of a Vite dev server."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path

import pytest
from support.foreign import services
from support.foreign.services import process
from support.http_proxy import route, running
from support.node import MODULES, NODE, need_node, node
from support.parts import need
from support.ports import free_port
from support.stack import open_folder
from support.waiting import until

SCRIPTS = Path(services.__file__).parent
NAME = "api.dev.test"
BEFORE_NODE = pytest.mark.parametrize("service", ["node"], indirect=True)


@BEFORE_NODE
async def test_undici(service, proxy):
    before = len(service.noticed())
    seen = await asyncio.to_thread(node, SCRIPTS / "client.js", str(proxy.port), NAME)
    assert seen == {
        "pipelined": 200,
        "sized": True,
        "chunked": True,
        "small": True,
        "head": [200, 0],
        "none": [204, 0],
        "hinted": [200, "ok", [[103, "</a.css>; rel=preload"]]],
        "trailed": ["body", {"checksum": "abc"}],
        "cut": "UND_ERR_SOCKET",
        "endless": True,
        "fetched": [200, True],
        "event": True,
    }
    await until(lambda: {"left /events"} < {line[:13] for line in service.noticed()[before:]})
    assert proxy.proxy.counters.in_flight == 0


async def curl(proxy, *arguments, path="/", body=b""):
    """(status, body) of one request by curl; its exit code instead of the status when it fails."""
    name = f"{NAME}:{proxy.port}"
    line = ["curl", "-sS", "--max-time", "20", "-w", "%{http_code}", "--resolve", f"{name}:127.0.0.1", *arguments]
    process = await asyncio.create_subprocess_exec(
        *line, f"http://{name}{path}", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    out, _ = await process.communicate(body)
    return (process.returncode or int(out[-3:])), out[:-3]


@BEFORE_NODE
async def test_curl(service, proxy):
    need("curl")
    big = bytes(range(256)) * 20_000
    said = f"{len(big)} {hashlib.sha256(big).hexdigest()}".encode()
    assert await curl(proxy, "--data-binary", "@-", body=big) == (200, b"POST " + said)
    assert await curl(proxy, "-T", "-", "-H", "Expect: 100-continue", body=big) == (200, b"PUT " + said)
    assert await curl(proxy, "--http1.0", "--data-binary", "@-", body=big) == (200, b"POST " + said)
    assert await curl(proxy, path="/status/204") == (204, b"")
    assert (await curl(proxy, "-I"))[0] == 200
    assert await curl(proxy, "--raw", path="/trailers") == (200, b"4\r\nbody\r\n0\r\nChecksum: abc\r\n\r\n")
    assert await curl(proxy, path="/cut") == (18, b"part")  # CURLE_PARTIAL_FILE
    assert (await curl(proxy, "--http1.0", path="/cut"))[0] == 56  # CURLE_RECV_ERROR: a reset, or it would look whole
    status, hinted = await curl(proxy, "-i", path="/hints")
    assert status == 200
    assert hinted.startswith(b"HTTP/1.1 103 Early Hints\r\n")
    assert (await curl(proxy, "-H", "Upgrade: websocket", "-H", "Connection: Upgrade", path="/ws?refuse"))[0] == 403


PAGE = '<script type="module" src="/main.js"></script>'
MODULE = "export const word = 'before'\nimport.meta.hot.accept()\n"
SETTINGS = "export default {{ server: {{ allowedHosts: ['.dev.test'], watch: {{ usePolling: true, interval: 50 }} }}, cacheDir: '{}' }}"


async def test_an_edit_reaches_the_page_of_a_vite_dev_server():
    need_node()
    port = free_port()
    with open_folder() as folder:
        (folder / "index.html").write_text(PAGE)
        (folder / "main.js").write_text(MODULE)
        (folder / "vite.config.mjs").write_text(SETTINGS.format(folder / "cache"))
        vite = [str(NODE), str(MODULES / "vite/bin/vite.js"), str(folder), "--port", str(port), "--strictPort"]
        with process(vite, port, folder / "vite.out"):  # as it comes: on ::1 only where that is what localhost means
            async with running(route("web", port)) as proxy:
                arguments = (str(proxy.port), "web.dev.test", str(folder / "main.js"))
                seen = await asyncio.to_thread(node, SCRIPTS / "hmr.js", *arguments)
    assert seen == {
        "page": True,
        "protocol": "vite-hmr",
        "types": ["connected", "update"],
        "path": "/main.js",
        "served": True,
    }
