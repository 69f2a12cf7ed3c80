import asyncio

from msgspec.structs import replace
from support.waiting import until

from devdns.control.last_words import LastWords
from devdns.control.recall import Recall
from devdns.control.sources import Sources
from devdns.core.holding import down
from devdns.core.names import Claim
from devdns.core.routes import Route, State, Target
from devdns.core.sources import Statement, Trouble
from devdns.core.store import RouteStore


def route(name, source="docker"):
    return Route(host=f"{name}.dev.test", targets=(Target("127.0.0.1", 1),), source=source, owner=name)


async def kept(folder, run, source, *routes):
    last = LastWords(run, folder)
    last.keep(source, routes)
    await last.close()


async def test_a_record_counts_in_its_own_run_and_for_its_own_source(tmp_path):
    await kept(tmp_path / "last", "run", "docker", route("api"))
    assert LastWords("run", tmp_path / "last").recall("docker") == (route("api"),)
    assert LastWords("another", tmp_path / "last").recall("docker") == ()
    assert LastWords("run", tmp_path / "last").recall("mdns") == ()


async def test_the_newest_statement_is_the_one_kept(tmp_path):
    last = LastWords("run", tmp_path)
    for number in range(5):
        last.keep("docker", (route(f"s{number}"),))
    await last.close()
    assert last.recall("docker") == (route("s4"),)


async def test_a_record_that_is_not_one_counts_as_nothing(tmp_path):
    await kept(tmp_path, "run", "docker", route("api"))
    (record,) = tmp_path.iterdir()
    record.write_bytes(record.read_bytes()[:20])
    assert LastWords("run", tmp_path).recall("docker") == ()


async def test_a_folder_that_cannot_be_made_costs_only_the_memory(tmp_path):
    (tmp_path / "file").write_text("")
    await kept(tmp_path / "file", "run", "docker", route("api"))
    assert LastWords("run", tmp_path / "file").recall("docker") == ()


class Told:
    """A provider that says what the test puts in."""

    def __init__(self, source):
        self.source, self.words = source, asyncio.Queue()

    async def watch(self):
        while True:
            yield await self.words.get()


async def started(tmp_path, source, *routes, hold=0.0):
    await kept(tmp_path, "run", source, *routes)
    store, provider = RouteStore(), Told(source)
    sources = Sources(store, lambda _: None)
    sources.recall = Recall(hold)
    sources.remember(LastWords("run", tmp_path))
    sources.start(provider)
    return store, provider, sources


def names(store):
    return {each.owner for each in store.table}


async def test_until_a_source_speaks_its_last_words_are_in_force(tmp_path):
    store, provider, sources = await started(tmp_path, "docker", route("api"), route("web"))
    assert names(store) == {"api", "web"}
    provider.words.put_nowait(Trouble("the daemon is away"))
    await sources.spoken("docker")
    assert names(store) == {"api", "web"}
    provider.words.put_nowait(Statement((route("web"),)))
    await sources.spoken("docker", 1)
    assert names(store) == {"web"}
    await sources.close()


async def test_a_gradual_source_may_say_its_routes_again_one_by_one(tmp_path, monkeypatch):
    monkeypatch.setattr("devdns.control.recall.SETTLED", 0.2)
    store, provider, sources = await started(tmp_path, "mdns", route("api", "mdns"), route("web", "mdns"))
    provider.words.put_nowait(Statement(()))
    await sources.spoken("mdns")
    assert names(store) == {"api", "web"}
    provider.words.put_nowait(Statement((route("web", "mdns"),)))
    await sources.spoken("mdns", 1)
    assert names(store) == {"api", "web"}
    await until(lambda: names(store) == {"web"})
    assert names(store) == {"web"}
    await sources.close()


async def test_what_a_container_source_does_not_say_again_is_held_as_down(tmp_path):
    store, provider, sources = await started(tmp_path, "docker", route("api"), route("web"), hold=0.3)
    provider.words.put_nowait(Statement((route("web"),)))
    await sources.spoken("docker")
    api, web = (store.table.get(Claim(f"{name}.dev.test")) for name in ("api", "web"))
    assert (api.state, api.targets, web.state) == (State.RESTARTING, route("api").targets, State.LIVE)
    await until(lambda: names(store) == {"web"})
    await sources.close()


async def test_what_was_down_before_a_crash_is_held_on_and_not_for_ever(tmp_path):
    fallen = down(route("api"), "container api stopped (exit code 137)")
    store, _, sources = await started(tmp_path, "docker", fallen, route("web"), hold=0.2)
    assert store.table.get(Claim("api.dev.test")) == fallen
    await until(lambda: names(store) == {"web"})  # though its source has not spoken yet
    await sources.close()


async def test_a_container_that_was_renamed_meanwhile_has_its_name_at_once(tmp_path):
    store, provider, sources = await started(tmp_path, "docker", route("api"), hold=15.0)
    renamed = replace(route("api"), owner="better")
    provider.words.put_nowait(Statement((renamed,)))
    await sources.spoken("docker")
    assert list(store.table) == [renamed]
    await sources.close()


async def ran(tmp_path, *said):
    """A store that heard `said` (source, routes...) in a run of its own, remembering the one before."""
    store = RouteStore()
    sources = Sources(store, lambda _: None)
    sources.remember(LastWords("run", tmp_path))
    for source in dict.fromkeys(source for source, *_ in said):
        sources.start(Told(source))
    for source, *routes in said:
        sources.hear(source, Statement(tuple(routes)))
    await sources.close()
    await sources._last.close()
    return store


def of(owner, source):
    return Route(host="shop.dev.test", targets=(Target("127.0.0.1", 1),), source=source, owner=owner)


async def test_the_first_owner_keeps_its_name_whoever_speaks_first_after_a_crash(tmp_path):
    first, second = ("file:/b", of("b", "file:/b")), ("file:/a", of("a", "file:/a"))
    assert names(await ran(tmp_path, first, second)) == {"b"}
    assert names(await ran(tmp_path, second, first)) == {"b"}
    assert names(await ran(tmp_path, ("file:/b",), second)) == {"a"}
    assert names(await ran(tmp_path, first, second)) == {"a"}


async def test_inside_one_source_the_first_owner_keeps_its_name_too(tmp_path):
    one, two = of("a", "docker"), of("b", "docker")
    assert names(await ran(tmp_path, ("docker", two), ("docker", one, two))) == {"b"}
    assert names(await ran(tmp_path, ("docker", one, two))) == {"b"}


async def test_a_source_that_was_forgotten_comes_anew(tmp_path):
    last = LastWords("run", tmp_path)
    last.keep("file:/a", (of("a", "file:/a"),), {(Claim("shop.dev.test"), "a"): 0})
    last.keep("file:/a", ())
    await last.close()
    assert LastWords("run", tmp_path).arrivals() == {"file:/a": {}}
    assert LastWords("run", tmp_path).recall("file:/a") == ()
