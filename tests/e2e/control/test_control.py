"""Control as the supervisor runs it: three listening sockets in, routes out to followers, everything kept over a restart."""

import asyncio
import json
import stat

import pytest
from support.control import Tail, ask, route, unix_listener
from support.waiting import until

from devdns.control.control import Control
from devdns.core.names import Zones
from devdns.core.settings import Config, DockerConfig, MdnsConfig

CONFIG = Config(docker=DockerConfig(enabled=False), mdns=MdnsConfig(enabled=False))
SOCKETS = ("control", "snapshots", "web")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    state = tmp_path / "state"
    state.mkdir()
    monkeypatch.chdir(state)
    return state


@pytest.fixture
def listeners(folder):
    socks = {name: unix_listener(folder / f"{name}.sock") for name in SOCKETS}
    yield socks
    for sock in socks.values():
        sock.close()


async def started(listeners, path=None, config=CONFIG):
    control = Control(config, path, (("127.0.0.1", 8080),))
    await control.start(**{name: sock.dup() for name, sock in listeners.items()})
    return control


@pytest.fixture
async def control(listeners, folder):
    path = folder.parent / "devdns.yml"
    path.write_text("routes:\n  api: 5173\n  api/v2: {target: 9000, strip: true}\n")
    control = await started(listeners, str(path))
    yield control
    await control.stop()


async def test_the_files_routes_are_in_the_first_table(control):
    async with Tail() as tail:
        view = await tail.until(lambda view: len(view.table) == 2)
    assert view.hello.config.zones == ("dev.test",)
    assert view.hello.http == (("127.0.0.1", 8080),)
    assert view.hello.instance == control.instance
    assert view.table.lookup("api.dev.test", "/v2/x").options.strip
    assert view.table.lookup("api.dev.test").origin.endswith("devdns.yml:2")


async def test_a_change_follows_the_table(control):
    async with Tail() as tail:
        await tail.until(lambda view: len(view.table) == 2)
        assert (await ask("control.sock", "PUT", "/api/v1/routes/web", json={"target": 3000}))[0] == 201
        await tail.until(lambda view: view.table.lookup("web.dev.test"))
        assert (await ask("control.sock", "DELETE", "/api/v1/routes/web"))[0] == 200
        await tail.until(lambda view: not view.table.lookup("web.dev.test"))


async def test_an_edit_of_the_file_is_followed_and_a_broken_one_is_not(control, folder):
    path = folder.parent / "devdns.yml"
    async with Tail() as tail:
        await tail.until(lambda view: len(view.table) == 2)
        path.write_text("routes:\n  api: 5173\n  api/v2: 9000\n  new: 5174\n")
        await tail.until(lambda view: view.table.lookup("new.dev.test"))
        said = control.registry.sources[f"file:{path}"].said
        path.write_text("routes: [oops\n")
        assert await control.registry.sources.spoken(f"file:{path}", said)
        _, body = await ask("control.sock", "GET", "/api/v1/status")
    assert next(each["state"] for each in body["sources"] if each["source"] == f"file:{path}") == "degraded"
    assert body["routes"] == 3


async def test_sources_that_are_switched_off_say_so(control):
    _, body = await ask("control.sock", "GET", "/api/v1/status")
    off = {each["source"]: each["reason"] for each in body["sources"] if each["state"] == "off"}
    assert off == {"docker": "docker.enabled is false", "mdns": "mdns.enabled is false"}


async def test_manual_routes_and_attached_files_outlive_a_restart(listeners, folder):
    more = folder.parent / "more.yml"
    more.write_text("routes:\n  extra: 7000\n")
    first = await started(listeners)
    assert (await ask("control.sock", "PUT", "/api/v1/routes/kept", json={"target": 3000, "hold": "2s"}))[0] == 201
    assert (await ask("control.sock", "POST", "/api/v1/files", json={"path": str(more)}))[0] == 201
    before = sorted(each.name for each in first.registry.table)
    await first.stop()
    second = await started(listeners)
    try:
        assert sorted(each.name for each in second.registry.table) == before == ["extra.dev.test", "kept.dev.test"]
        assert second.registry.table.lookup("kept.dev.test").options.hold == 2.0
    finally:
        await second.stop()


async def test_what_is_written_is_ours_alone(control, folder):
    token = folder / "token"
    assert stat.S_IMODE(token.stat().st_mode) == 0o600
    assert len(token.read_text().strip()) == 64


async def test_stop_ends_streams_and_followers_at_once(listeners):
    control = await started(listeners)
    async with Tail() as tail:
        await tail.until(lambda view: view.hello and tail.follower.complete)
        stream = asyncio.create_task(ask("control.sock", "GET", "/api/v1/routes/events"))
        async with asyncio.timeout(5):
            await until(lambda: len(control.registry.events))
            await control.stop()
            with pytest.raises((EOFError, OSError)):
                await tail.until(lambda _: False)
            with pytest.raises(json.JSONDecodeError):
                await stream


async def test_a_route_of_another_zone_keeps_its_zone(listeners):
    control = await started(
        listeners, config=Config(zones=("dev.test", "shop.test"), docker=CONFIG.docker, mdns=CONFIG.mdns)
    )
    try:
        assert (await ask("control.sock", "PUT", "/api/v1/routes/cart.shop.test", json={"target": 1}))[0] == 201
        assert control.registry.table.lookup("cart.shop.test") == route("cart.shop.test", "1", origin="devdns add")
        assert control.registry.zones == Zones(("dev.test", "shop.test"))
    finally:
        await control.stop()
