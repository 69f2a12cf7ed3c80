"""The event stream, read as a browser or `devdns routes --watch` does."""

import asyncio
import contextlib
import json

import pytest
from aiohttp import ClientError
from support.control import Doors, Scripted, client, registry_of, route
from support.waiting import until

from devdns.core.sources import Statement


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@contextlib.asynccontextmanager
async def stream_of(*providers, heartbeat=15.0, bufsize=1 << 16):
    """A registry and the open event stream of a client of it; within 20 seconds."""
    async with (
        asyncio.timeout(20),
        registry_of(*providers) as registry,
        Doors(registry, heartbeat),
        client() as session,
        session.get("/api/v1/routes/events", read_bufsize=bufsize) as reply,
    ):
        yield registry, reply


async def events(reply):
    """(kind, data) of each event; a comment is ("", text)."""
    kind = ""
    async for line in reply.content:
        name, _, value = line.decode().rstrip("\n").partition(": ")
        if name == "event":
            kind = value
        elif name == "data":
            yield kind, json.loads(value)
        elif value:
            yield "", value


async def test_the_table_comes_first_and_then_each_change():
    docker = Scripted("docker", Statement((route("web", "1", "docker"),)))
    async with stream_of(docker) as (_, reply):
        assert reply.headers["Content-Type"] == "text/event-stream"
        stream = events(reply)
        kind, table = await anext(stream)
        assert (kind, [each["name"] for each in table["routes"]]) == ("table", ["web.dev.test"])
        docker.say(Statement((route("api", "2", "docker"),)))
        kind, change = await anext(stream)
        assert (kind, change["generation"], change["removed"]) == ("change", 2, ["web.dev.test"])
        assert [each["name"] for each in change["added"]] == ["api.dev.test"]


async def test_a_large_table_is_one_event():
    docker = Scripted("docker", Statement(tuple(route(f"n{each}", "1", "docker") for each in range(2_500))))
    async with stream_of(docker, bufsize=1 << 22) as (_, reply):  # a line of the stream is read whole here
        kind, table = await anext(events(reply))
    assert (kind, len(table["routes"])) == ("table", 2_500)


async def test_silence_is_broken_by_a_comment():
    async with stream_of(heartbeat=0.01) as (_, reply):
        stream = events(reply)
        await anext(stream)
        assert await anext(stream) == ("", "still here")


async def test_a_client_that_leaves_is_noticed_without_a_word_said():
    async with registry_of() as registry, Doors(registry):
        async with client() as session, session.get("/api/v1/routes/events") as reply:
            await anext(events(reply))
            assert len(registry.events) == 1
        await until(lambda: not len(registry.events))
    assert len(registry.events) == 0


async def test_one_that_does_not_read_holds_up_nobody_and_catches_up():
    docker = Scripted("docker", Statement())
    async with stream_of(docker) as (registry, reply):
        stream = events(reply)
        await anext(stream)
        for turn in range(1, 2_000):
            docker.say(Statement((route("api", str(turn), "docker", reason="x" * 2_000),)))
        assert await registry.sources.spoken("docker", 1_999, bound=15)
        generation, tables = 0, 0
        while generation < registry.table.generation:
            kind, told = await anext(stream)
            generation, tables = told["generation"], tables + (kind == "table")
        last = told["routes" if kind == "table" else "added"]
    assert tables >= 1
    assert last[0]["targets"] == ["http://127.0.0.1:1999"]


async def test_stopping_ends_the_stream():
    async with stream_of() as (registry, reply):
        stream = events(reply)
        await anext(stream)
        registry.events.close()
        with pytest.raises((StopAsyncIteration, ClientError)):
            await anext(stream)
