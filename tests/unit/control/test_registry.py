"""What control can be asked to do, without HTTP."""

import pytest
from support.control import Scripted, registry_of, route

from devdns.control import registry as module
from devdns.control.registry import FileRefused, Unheard
from devdns.core.errors import TargetRefused
from devdns.core.routes import parse_target
from devdns.core.sources import Statement


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


async def test_a_route_that_is_not_stated_in_time_is_no_success(monkeypatch):
    async with registry_of() as registry:
        monkeypatch.setattr(registry._manual, "put", lambda _: None)
        spoken = registry.sources.spoken
        monkeypatch.setattr(registry.sources, "spoken", lambda name, beyond: spoken(name, beyond, bound=0.01))
        with pytest.raises(Unheard):
            await registry.put(route("api"))


async def test_the_file_of_up_is_followed_first_and_never_detached(folder):
    main = str(folder / "devdns.yml")
    (folder / "devdns.yml").touch()
    async with registry_of(main=main) as registry:
        assert registry.files() == [{"path": main, "source": f"file:{main}", "main": True}]
        assert not await registry.attach(main)
        with pytest.raises(FileRefused, match="devdns down"):
            await registry.detach(main)


async def test_attached_files_are_followed_again_after_a_start(folder):
    path = str(folder / "more.yml")
    (folder / "more.yml").touch()
    async with registry_of() as registry:
        assert await registry.attach(path)
    async with registry_of() as registry:
        assert registry.table.lookup("attached.dev.test")
        assert await registry.detach(path)
        assert not await registry.detach(path)
    async with registry_of() as registry:
        assert not registry.table.lookup("attached.dev.test")


async def test_one_file_by_two_spellings_is_one_source(folder):
    (folder / "more.yml").touch()
    async with registry_of() as registry:
        assert await registry.attach(f"{folder}/more.yml")
        assert not await registry.attach(f"{folder}/.//more.yml")
        assert await registry.detach(f"{folder}//more.yml")


@pytest.mark.parametrize("path", ["more.yml", "", "~/more.yml", "/nowhere/more.yml", "/", "/tmp/\0", "/" + "x" * 5_000])
async def test_what_is_no_file_is_not_attached(path):
    async with registry_of() as registry:
        with pytest.raises(FileRefused):
            await registry.attach(path)
        assert registry.attached == {}


@pytest.mark.parametrize("name", module.UNIX_SOCKETS)
async def test_a_route_to_our_own_sockets_is_refused(folder, name):
    async with registry_of() as registry:
        with pytest.raises(TargetRefused, match="control socket"):
            registry.refuse_loops([parse_target(f"unix:{folder / name}")], [])


async def test_followers_and_streams_hear_of_each_change():
    docker = Scripted("docker", Statement())
    async with registry_of(docker) as registry:
        told = []
        registry.tell = told.append
        with registry.events.subscription() as client:
            client.caught_up()
            docker.say(Statement((route("api", "1", "docker"),)))
            assert await registry.sources.spoken("docker", 1)
            assert client.take().startswith(b"event: change\ndata: {")
            docker.say(Statement(tuple(route(f"n{each}", "1", "docker") for each in range(1_500))))
            assert await registry.sources.spoken("docker", 2)
            assert client.behind
    assert [change.generation for change in told] == [1, 2]


async def test_what_leads_back_to_devdns_is_refused_whoever_says_it(folder):
    (folder / "control.sock").touch()
    (folder / "hard").hardlink_to(folder / "control.sock")
    (folder / "soft").symlink_to("control.sock")
    paths = [folder / "control.sock", folder / "hard", folder / "soft", folder / ".." / folder.name / "control.sock"]
    targets = ["127.0.0.1:8080", *(f"unix:{path}" for path in paths), "unix:/proc/self/cwd/control.sock"]
    docker = Scripted("docker")
    async with registry_of() as registry:
        registry.listeners = lambda: [("127.0.0.1", 8080)]
        registry.sources.start(docker)
        bad = [route(f"bad{number}", target, "docker") for number, target in enumerate(targets)]
        docker.say(Statement((route("good", "127.0.0.1:8081", "docker"), *bad)))
        await registry.sources.spoken("docker")
        assert [each.host for each in registry.table] == ["good.dev.test"]
        refusals = [refusal for source, refusal in registry.refusals() if source == "docker"]
        assert [each.name for each in refusals] == [each.name for each in bad]
        assert "devdns itself listens on" in refusals[0].reason
        assert all("control socket" in each.reason for each in refusals[1:])
