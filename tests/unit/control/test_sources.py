"""Sources: what providers say reaches the store; what goes wrong in one stays there."""

import asyncio

import pytest
from structlog.testing import capture_logs
from support.control import Scripted, route

from devdns.control.sources import Sources
from devdns.core.sources import Refusal, Statement, Trouble
from devdns.core.store import RouteStore


class Stage:
    """Sources over a real store, and what was published."""

    def __init__(self):
        self.store = RouteStore()
        self.changes = []
        self.sources = Sources(self.store, self.changes.append, pause=0.001)


@pytest.fixture
async def stage():
    stage = Stage()
    yield stage
    await stage.sources.close()


def api(source="docker", target="5173"):
    return Statement((route("api", target, source),))


async def test_a_statement_becomes_a_change(stage):
    stage.sources.start(Scripted("docker", api()))
    assert await stage.sources.spoken("docker")
    assert stage.sources["docker"].state == "ok"
    assert [change.generation for change in stage.changes] == [1]


async def test_the_same_statement_again_publishes_nothing(stage):
    stage.sources.start(Scripted("docker", api(), api()))
    assert await stage.sources.spoken("docker", 1)
    assert len(stage.changes) == 1


async def test_trouble_keeps_the_last_routes_and_tells_the_reason(stage):
    refusal = Refusal("container x", "x", "no port")
    stage.sources.start(
        Scripted("docker", Statement(api().routes, (refusal,)), Trouble("the engine is gone", "start it"))
    )
    assert await stage.sources.spoken("docker", 1)
    source = stage.sources["docker"]
    assert (source.state, source.reason, source.hint) == ("degraded", "the engine is gone", "start it")
    assert source.refusals == (refusal,)
    assert len(stage.store.table) == 1


async def test_a_source_that_is_not_there_is_off_until_it_comes(stage):
    docker = Scripted("docker", Statement(absent="no Docker Engine at unix:///run/docker.sock"))
    with capture_logs() as logs:
        stage.sources.start(docker)
        assert await stage.sources.spoken("docker")
    source = stage.sources["docker"]
    assert (source.state, source.reason) == ("off", "no Docker Engine at unix:///run/docker.sock")
    assert [line["log_level"] for line in logs] == ["info"]
    docker.say(api())
    assert await stage.sources.spoken("docker", 1)
    assert (source.state, source.reason) == ("ok", "")


async def test_an_empty_statement_takes_everything_back(stage):
    stage.sources.start(Scripted("docker", api(), Statement()))
    assert await stage.sources.spoken("docker", 1)
    assert len(stage.store.table) == 0


@pytest.mark.parametrize("end", [RuntimeError("library fell over"), None])
async def test_a_watch_that_ends_is_started_again_and_its_routes_stay(stage, end):
    provider = Scripted("docker", api(), end, api(target="5174"))
    with capture_logs() as logs:
        stage.sources.start(provider)
        assert await stage.sources.spoken("docker", 2)
    assert provider.watches == 2
    assert stage.sources["docker"].state == "ok"
    assert str(stage.store.table.lookup("api.dev.test").targets[0]).endswith(":5174")
    assert [each["state"] for each in logs if each["event"] == "source"] == ["ok", "degraded", "ok"]
    assert sum(each["event"] == "source failed" for each in logs) == (end is not None)


async def test_a_provider_that_lies_about_its_source_is_degraded_not_fatal(stage):
    stage.sources.start(Scripted("docker", api("mdns")))
    assert await stage.sources.spoken("docker")
    assert stage.sources["docker"].state == "degraded"
    assert "ValueError" in stage.sources["docker"].reason


async def test_the_same_failure_again_is_not_logged_again(stage):
    provider = Scripted("docker", *[RuntimeError("library fell over")] * 4)
    with capture_logs() as logs:
        stage.sources.start(provider)
        assert await stage.sources.spoken("docker", 3)
    assert [each["event"] for each in logs] == ["source failed", "source"]


async def test_repeated_trouble_is_one_line_of_the_log(stage):
    with capture_logs() as logs:
        stage.sources.start(Scripted("docker", *[Trouble("gone")] * 5))
        assert await stage.sources.spoken("docker", 4)
    assert len(logs) == 1


async def test_a_forgotten_source_takes_its_routes_and_its_task_along(stage):
    stage.sources.start(Scripted("file:/x", api("file:/x")))
    assert await stage.sources.spoken("file:/x")
    await stage.sources.forget("file:/x")
    assert "file:/x" not in stage.sources
    assert len(stage.store.table) == 0
    assert [len(change.removed) for change in stage.changes] == [0, 1]


async def test_a_source_is_watched_once(stage):
    stage.sources.start(Scripted("docker"))
    with pytest.raises(ValueError, match="docker"):
        stage.sources.start(Scripted("docker"))


async def test_waiting_for_a_word_is_bounded(stage):
    stage.sources.start(Scripted("docker"))
    assert not await stage.sources.spoken("docker", bound=0.01)


async def test_close_keeps_the_table(stage):
    stage.sources.start(Scripted("docker", api()))
    assert await stage.sources.spoken("docker")
    await stage.sources.close()
    assert len(stage.store.table) == 1
    assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("source ")]


async def test_a_watch_that_breaks_where_nobody_looks_is_said_and_begun_again(stage):
    """Even what reports the trouble may fail, as with a log that cannot be written."""
    provider = Scripted("docker", RuntimeError("library fell over"), api())
    hear, failures = stage.sources.hear, [OSError("no space left")]

    def failing(name, word):
        if isinstance(word, Trouble) and failures:
            raise failures.pop()
        hear(name, word)

    stage.sources.hear = failing
    with capture_logs() as logs:
        stage.sources.start(provider)
        assert await stage.sources.spoken("docker")
        assert (stage.sources["docker"].state, "no space left" in stage.sources["docker"].reason) == ("degraded", True)
        assert await stage.sources.spoken("docker", 1)
    assert stage.sources["docker"].state == "ok"
    assert "source broke" in [each["event"] for each in logs]
