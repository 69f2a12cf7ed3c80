"""Where this host does not route to containers (Docker Desktop, rootless): the published port, or the line that publishes it.

The provider runs without privileges, as control does, on an engine whose container addresses only root can reach.
"""

import asyncio
import grp
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest
from support.containers import address, body, nonce, published
from support.engine import Engine
from support.stack import open_folder

pytestmark = pytest.mark.engine
API = {"dev.route": "api"}
PUBLISH = {"8000/tcp": ("127.0.0.1", None)}
NOBODY = 65534


class Words:
    """The lines of JSON that an unprivileged provider prints."""

    def __init__(self, lines: asyncio.StreamReader) -> None:
        self._lines = lines

    async def until(self, state: str, port: int) -> dict:
        """The one route, once it is in `state` at `port`."""
        word: dict = {}
        try:
            async with asyncio.timeout(10):
                while True:
                    word = msgspec.json.decode(await self._lines.readline())
                    for route in word.get("routes", ()):
                        if route["state"] == state and route["targets"][0]["port"] == port:
                            return route
        except TimeoutError:
            raise AssertionError(f"waited for {state} at {port}; last word: {word}") from None


@asynccontextmanager
async def provider(url: str, group: int) -> AsyncIterator[Words]:
    command = [sys.executable, str(Path(__file__).with_name("unprivileged.py")), url, str(NOBODY), str(group)]
    started = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    try:
        assert started.stdout is not None
        yield Words(started.stdout)
    finally:
        started.terminate()
        await started.wait()


@pytest.fixture
async def words(engine: Engine) -> AsyncIterator[Words]:
    engine.folder.chmod(0o711)
    async with provider(engine.url, grp.getgrnam("docker").gr_gid) as found:
        yield found


@pytest.mark.parametrize("silent", [True, False])
async def test_the_published_port_is_used(engine, words, *, silent):
    with engine.unrouted(silent=silent):
        api = engine.run("api", API, PUBLISH)
        port = published(api)
        route = await words.until("live", port)
        assert route["relayed"]  # by the docker-proxy of this engine
        (target,) = route["targets"]
        assert (target["host"], target["port"]) == ("127.0.0.1", port)
        assert body("127.0.0.1", port) == nonce(api)


async def test_a_published_port_is_not_live_before_the_service_listens(engine, words):
    late = ["sh", "-c", "until test -e /tmp/go; do sleep 0.02; done; exec httpd -f -p 8000 -h /"]
    with engine.unrouted():
        api = engine.run("api", API, PUBLISH, command=late)
        port = published(api)
        assert "nothing listens on port 8000" in (await words.until("starting", port))["reason"]
        api.exec_run(["touch", "/tmp/go"])
        await words.until("live", port)


async def test_a_port_that_is_not_published_is_unreachable_with_the_line_to_add(engine, words):
    with engine.unrouted():
        api = engine.run("api", API)
        route = await words.until("unreachable", 8000)
        assert route["reason"] == (
            f"this host does not route to {address(api)} for port 8000 of container api, "
            "which is not published: add -p 127.0.0.1::8000 to docker run"
        )


async def test_the_route_comes_alive_when_the_host_routes_again(engine, words):
    with engine.unrouted():
        api = engine.run("api", API)
        await words.until("unreachable", 8000)
    assert (await words.until("live", 8000))["targets"][0]["host"] == address(api)


async def test_without_the_group_it_says_which_to_join(engine):
    engine.folder.chmod(0o711)
    async with provider(engine.url, NOBODY) as words:
        word = msgspec.json.decode(await words._lines.readline())
    assert word["reason"] == f"{engine.url} may not be opened: permission denied"
    assert word["hint"] == "join its group: sudo usermod -aG docker $USER, then log in again"


@pytest.mark.parametrize(
    ("name", "mend"),
    [
        ("docker.sock", "give it to a group (dockerd --group docker)"),
        (
            "podman.sock",
            "have one of your own (systemctl --user start podman.socket), or give it to a group (SocketGroup= in podman.socket)",
        ),
    ],
)
async def test_a_socket_that_is_roots_alone_tells_how_it_is_shared(name, mend):
    with open_folder() as folder, socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / name))
        (folder / name).chmod(0o600)
        async with provider(f"unix://{folder / name}", NOBODY) as words:
            word = msgspec.json.decode(await words._lines.readline())
    assert word["reason"] == f"unix://{folder / name} may not be opened: permission denied"
    assert word["hint"] == f"it is root's alone: {mend}"
