"""Five thousand requests held at once, by a proxy process of its own: what they take, and that all are answered."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import socket
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from support.http_proxy import GET, OK, answering, backend, route
from support.ports import free_port
from support.waiting import until

from devdns.core.config import Config
from devdns.core.frames import VERSION, Figures, FrameReader, Hello, Slice, encode
from devdns.core.routes import Change, State

pytestmark = pytest.mark.evidence
HELD = "devdns_held_requests"
COUNT, GIVE_UP, MOST_MB = 5_000, 500, 50
POST = b"POST / HTTP/1.1\r\nHost: api.dev.test\r\nContent-Length: 5\r\n\r\nhello"


@contextlib.contextmanager
def many_files():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 20_000), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


class Control:
    """The other end of a proxy's snapshot link."""

    def __init__(self, folder: Path) -> None:
        self.path = str(folder / "snapshots.sock")
        self.followers: asyncio.Queue[asyncio.StreamWriter] = asyncio.Queue()
        self._writers: list[asyncio.StreamWriter] = []

    async def __aenter__(self) -> Control:
        self._server = await asyncio.start_unix_server(self._accept, self.path)
        return self

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writers.append(writer)
        self.followers.put_nowait(writer)

    async def told(self, held: int) -> None:
        """Returns when the proxy has told that it holds so many requests."""
        frames = FrameReader()
        async with asyncio.timeout(60):
            while data := await self._reader.read(1 << 16):
                figures = [frame for frame in frames.feed(data) if isinstance(frame, Figures)]
                families = [family for each in figures for family in each.families]
                if any(family.name == HELD and family.samples[0].value == held for family in families):
                    return

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await closed(*self._writers)


@contextlib.contextmanager
def proxy_process(control: Control, port: int):
    command = "devdns.cli.main", "proxy", "--control", f"unix://{control.path}", "--http", f"127.0.0.1:{port}"
    user = {"DEVDNS_RUN_AS": f"{os.getuid()}:{os.getgid()}"}  # who made the socket of this control
    process = subprocess.Popen([sys.executable, "-m", *command], env=os.environ | user)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(20)


def resident(pid: int) -> float:
    line = next(each for each in Path(f"/proc/{pid}/status").read_text().splitlines() if each.startswith("VmRSS"))
    return int(line.split()[1]) / 1_000


def accepts(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


async def closed(*writers: asyncio.StreamWriter) -> None:
    for writer in writers:
        writer.close()
    await asyncio.gather(*(writer.wait_closed() for writer in writers), return_exceptions=True)


async def ask(port: int, number: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(POST if number % 2 else GET)
    return reader, writer


async def test_five_thousand_are_held_in_fifty_megabytes_and_all_are_answered(tmp_path):
    port = free_port()
    with many_files():
        async with backend(answering(OK)) as service, Control(tmp_path) as control:
            with proxy_process(control, port) as process:
                follower = await asyncio.wait_for(control.followers.get(), 20)
                follower.write(encode(Hello(VERSION, "i", Config(hold=120.0))))
                follower.write(encode(Slice(1, (route("api", service.port, state=State.RESTARTING),), last=True)))
                await until(lambda: accepts(port))
                before = resident(process.pid)
                asked = [await ask(port, number) for number in range(COUNT)]
                await control.told(COUNT)
                held = resident(process.pid)
                for _, writer in asked[:GIVE_UP]:
                    writer.transport.abort()
                loop = asyncio.get_running_loop()
                released = loop.time()
                follower.write(encode(Change(2, (), (route("api", service.port),))))
                outcomes: Counter[bytes] = Counter()
                for reader, _ in asked[GIVE_UP:]:
                    outcomes[(await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 60)).split()[1]] += 1
                took = loop.time() - released
                print(
                    f"\n{COUNT} held: {held - before:.1f} MB more; {COUNT - GIVE_UP} answered {took:.2f} s after the change, over {service.connections} connections; {outcomes}"
                )
                assert outcomes == {b"200": COUNT - GIVE_UP}
                assert held - before < MOST_MB
                assert len(service.seen) <= COUNT
                await closed(*(writer for _, writer in asked))
