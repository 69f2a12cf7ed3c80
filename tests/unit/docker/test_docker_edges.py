"""The provider's edges on a replayed engine: what it asks for, what it survives, and what it says of an engine that is none."""

import asyncio
import random
import socket
import time

import pytest
from support.docker_heard import watching
from support.inspections import inspection
from support.replay import replaying

from devdns.core.routes import State, Target
from devdns.core.settings import DockerConfig
from devdns.core.sources import Statement
from devdns.providers import docker_events, docker_hosts, docker_seek, docker_stack

API = {"dev.route": "api"}


@pytest.fixture
def place(tmp_path):
    return tmp_path / "docker.sock"


@pytest.fixture
def replay(place):
    with replaying(place) as replay:
        yield replay


@pytest.fixture
def listening():
    """A port of 127.0.0.1, the address of all replayed containers, where somebody listens."""
    with socket.create_server(("127.0.0.1", 0), backlog=2000) as server:
        yield server.getsockname()[1]


def box(name="api", labels=API, port=8000, **options):
    return inspection(name, labels, exposed=(f"{port}/tcp",), addresses={"bridge": "127.0.0.1"}, **options)


async def test_it_asks_for_nothing_but_what_it_may(replay, listening):
    replay.put(box(port=listening))
    async with watching(replay.url, hold=0) as heard:
        await heard.live("api")
        replay.put(box(port=listening, status="exited"), "die")
        await heard.gone("api")
    paths = {path for _, path in replay.asked}
    assert {method for method, _ in replay.asked} == {"GET"}
    assert paths == {"/version", "/info", "/events", "/containers/json", f"/containers/{box()['Id']}/json"}
    asked = [path for _, path in replay.asked]
    assert asked.index("/events") < asked.index("/containers/json")


async def test_an_engine_that_was_met_before_is_listened_to_first(replay, listening):
    """What it says of itself takes it longer than all the rest, and is mostly what it said before."""
    replay.put(box(port=listening))
    async with watching(replay.url) as heard:
        await heard.live("api")
        replay.asked.clear()
        replay.put(box("web", {"dev.route": "web"}, port=listening))
        replay.hang_up()
        await heard.live("web")
        await heard.until(lambda: ("GET", "/info") in replay.asked, "a look at what it is")
        asked = [path for _, path in replay.asked]
        assert asked[0] == "/events"
        assert "/version" not in asked


async def test_another_engine_in_its_place_is_met_anew(replay, listening):
    replay.put(box(port=listening))
    async with watching(replay.url) as heard:
        await heard.live("api")
        replay.info = {"OperatingSystem": "Docker Desktop"}
        replay.hang_up()
        await heard.until(lambda: heard.state("api") is State.UNREACHABLE, "what is out of reach")


async def test_an_engine_that_speaks_another_version_by_now_is_met_anew(replay, listening):
    replay.put(box(port=listening))
    async with watching(replay.url) as heard:
        await heard.live("api")
        replay.refuse["/events"] = 400
        replay.asked.clear()
        replay.hang_up()
        await heard.until(lambda: "refuses its events" in str(heard.trouble), "its refusal")
        del replay.refuse["/events"]
        replay.put(box("web", {"dev.route": "web"}, port=listening))
        await heard.live("web")
        asked = [path for _, path in replay.asked]
        assert asked[0] == "/events"
        assert "/version" in asked


async def test_environment_values_are_in_nothing_it_says(replay, listening):
    replay.put(box(port=listening))
    async with watching(replay.url) as heard:
        await heard.live("api")
    assert "hunter2" not in repr(heard.words)


async def test_a_filter_that_hides_info_is_no_trouble(replay, listening):
    replay.refuse["/info"] = 403
    replay.put(box(port=listening))
    async with watching(replay.url) as heard:
        assert (await heard.live("api")).targets == (Target("127.0.0.1", listening),)


async def test_a_filter_that_hides_events_is(replay):
    replay.refuse["/events"] = 403
    async with watching(replay.url) as heard:
        await heard.until(lambda: heard.trouble, "the trouble")
    assert heard.trouble.reason == f"Docker at {replay.url} refuses its events: HTTP 403"
    assert heard.trouble.hint == "a socket filter must let GETs through: version, info, events, containers"


async def test_a_filter_that_hides_containers_is_trouble_too(replay):
    replay.refuse["/containers/json"] = 403
    async with watching(replay.url) as heard:
        await heard.until(lambda: heard.trouble, "the trouble")
    assert heard.trouble.reason == f"Docker at {replay.url} refuses: not allowed"


async def test_one_container_that_cannot_be_told_hurts_no_other(replay, listening):
    replay.put(box(port=listening))
    replay.put(box("sick", {"dev.route": "sick"}))
    replay.put({**box("odd", {"dev.route": "odd"}), "State": {"Status": 7}, "Id": "odd"})
    replay.refuse[f"{box('sick')['Id']}/json"] = 500
    async with watching(replay.url) as heard:
        await heard.live("api")
        broken, sick = sorted(each.reason for each in heard.refusals())
    assert broken == "the Engine says: not allowed"
    assert sick.startswith("the Engine's description of a container cannot be")


async def test_events_that_end_are_trouble_and_the_routes_stay(replay, listening):
    replay.put(box(port=listening))
    async with watching(replay.url) as heard:
        await heard.live("api")
        replay.put(box("new", {"dev.route": "new"}, port=listening))
        replay.hang_up()
        await heard.until(lambda: heard.trouble, "the trouble")
        assert heard.trouble.reason == f"Docker at {replay.url} went away"
        assert heard.route("api") is not None
        await heard.live("new")
        assert heard.trouble is None


async def test_a_lost_event_is_made_up_for(replay, listening, monkeypatch):
    monkeypatch.setattr(docker_stack, "REVIEW", 0.05)
    replay.put(box(port=listening))
    async with watching(replay.url, hold=0) as heard:
        await heard.live("api")
        replay.put(box("new", {"dev.route": "new"}, port=listening))
        assert (await heard.live("new")).owner == "new"
        replay.put(box(port=listening, status="exited"))
        await heard.gone("api")


async def test_an_app_that_never_listens_is_unreachable_in_the_end(replay, listening, monkeypatch):
    monkeypatch.setattr(docker_seek, "PATIENCE", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as server:
        shut = server.getsockname()[1]
    replay.put(box(port=shut))
    async with watching(replay.url) as heard:
        await heard.until(lambda: (r := heard.route("api")) and r.state is State.UNREACHABLE, "giving up")
        assert f"let it listen on 0.0.0.0:{shut} inside the container" in heard.route("api").reason
        with socket.create_server(("127.0.0.1", shut)):
            await heard.live("api")


@pytest.mark.parametrize(
    "info", [{"SecurityOptions": ["name=rootless"]}, {"Rootless": True}, {"OperatingSystem": "Docker Desktop"}]
)
async def test_where_container_addresses_mean_nothing_they_are_not_tried(replay, listening, info):
    """An address of a rootless engine may be another engine's container here."""
    replay.info = info
    replay.put(box(port=listening))
    with socket.create_server(("127.0.0.1", 0)) as server:
        here = server.getsockname()[1]
        places = {f"{listening}/tcp": [{"HostIp": "0.0.0.0", "HostPort": str(here)}]}
        replay.put(box("web", {"dev.route": "web"}, port=listening, published=places))
        async with watching(replay.url) as heard:
            assert (await heard.live("web")).targets == (Target("127.0.0.1", here),)
            assert heard.route("api").state is State.UNREACHABLE


async def test_a_burst_of_a_thousand_containers_is_right_in_the_end_and_cheap(replay, listening):
    async with watching(replay.url, hold=0) as heard:
        await heard.until(lambda: heard.words, "the first word")
        began, used = time.monotonic(), time.process_time()
        for number in range(1000):
            labels = {"dev.route": f"n{number}"}
            for action in ("create", "exec_create: true", "exec_start: true", "start"):
                replay.put(box(f"c{number}", labels, port=listening), action)
        for number in range(0, 1000, 2):
            replay.drop(box(f"c{number}")["Id"])
        await heard.until(lambda: live(heard) == {f"n{n}.dev.test" for n in range(1, 1000, 2)}, "the right table", 60)
        took, cpu = time.monotonic() - began, time.process_time() - used
    assert len(heard.words) < 400
    assert cpu < 20, f"{took:.1f} s, {cpu:.1f} s of CPU"


def live(heard):
    return {route.host for route in heard.store.table if route.state is State.LIVE}


async def test_one_change_among_a_thousand_containers_asks_about_that_one_alone(replay, listening):
    for number in range(1000):
        replay.put(box(f"c{number}", {"dev.route": f"n{number}"}, port=listening))
    async with watching(replay.url) as heard:
        await heard.until(lambda: len(live(heard)) == 1000, "all of them", 60)
        replay.asked.clear()
        replay.put(box("new", {"dev.route": "new"}, port=listening), "start")
        await heard.live("new")
        asked = {path for _, path in replay.asked}
        assert asked == {f"/containers/{box('new')['Id']}/json"}


async def test_an_engine_on_a_tcp_port_of_this_machine(listening):
    with replaying() as replay:
        replay.put(box(port=listening))
        async with watching(None, hold=0, DOCKER_HOST=replay.url) as heard:
            assert (await heard.live("api")).source == "docker"
            replay.drop(box()["Id"])
            await heard.gone("api")


# -- engines that are none


async def trouble(url, config=None, **environ):
    async with watching(url, config, **environ) as heard:
        await heard.until(lambda: heard.trouble, "the trouble")
    return heard.trouble.reason, heard.trouble.hint


async def test_no_socket(place):
    reason, hint = await trouble(f"unix://{place}")
    assert reason == f"no Docker Engine at unix://{place}: there is no such socket"
    assert hint == "start Docker, or set docker.hosts"


async def test_a_socket_that_nobody_answers(place):
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(place))
    reason, hint = await trouble(f"unix://{place}")
    assert reason == f"no Docker Engine answers at unix://{place}: Connection refused"
    assert hint == "start Docker: systemctl start docker"


def spoken_to(words):
    """Somebody who says `words` to everybody."""

    async def serve(reader, writer):
        await reader.read(1)
        writer.write(words)
        writer.close()

    return serve


@pytest.mark.parametrize(
    "words",
    [
        b"220 hello\r\n",
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno",
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 8\r\n\r\n\x1b[31m\nno",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        b'HTTP/1.1 200 OK\r\nContent-Length: 22\r\n\r\n{"ApiVersion": "x.y"}\n',
    ],
)
async def test_somebody_else(place, words):
    async with await asyncio.start_unix_server(spoken_to(words), str(place)):
        reason, hint = await trouble(f"unix://{place}")
    assert reason.startswith(f"what answers at unix://{place} is not a Docker Engine: ")
    assert reason.isprintable()
    assert hint == "check DOCKER_HOST or docker.hosts"


async def test_somebody_who_hangs_up(place):
    async with await asyncio.start_unix_server(spoken_to(b""), str(place)):
        reason, _ = await trouble(f"unix://{place}")
    assert reason == f"Docker at unix://{place} closed the connection"


async def test_a_port_that_nobody_answers():
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"tcp://127.0.0.1:{server.getsockname()[1]}"
    reason, _ = await trouble(url)
    assert reason == f"no Docker Engine answers at {url}: Connection refused"


async def test_tls_without_certificates_or_with_somebody_who_speaks_none(tmp_path):
    with replaying() as replay:
        variables = {"DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": str(tmp_path)}
        reason, hint = await trouble(replay.url, **variables)
        assert reason == f"no TLS with Docker at {replay.url}: its certificates are not there"
        assert hint == "check DOCKER_TLS_VERIFY and DOCKER_CERT_PATH"
        secure = replay.url.replace("tcp://", "https://")
        reason, _ = await trouble(secure)
        assert reason.startswith(f"no TLS with Docker at {secure}: ")


async def test_what_is_no_url(tmp_path):
    reason, hint = await trouble(None, DOCKER_HOST="lab:2375", HOME=str(tmp_path))
    assert reason == "Docker host 'lab:2375' is not the URL of an engine"
    assert "unix:///var/run/docker.sock" in hint


async def test_auto_is_quiet_without_a_socket_and_sees_it_come(tmp_path, place, listening, monkeypatch):
    monkeypatch.setattr(docker_hosts, "SOCKETS", (str(place),))
    monkeypatch.setattr(docker_hosts, "SYSTEM_SOCKET", str(place))
    async with watching(None, DockerConfig(enabled=None), HOME=str(tmp_path)) as heard:
        await heard.until(lambda: heard.words, "the first word")
        assert heard.words == [Statement(absent=f"no Docker Engine at unix://{place}")]
        with replaying(place) as replay:
            replay.put(box(port=listening))
            await heard.live("api")
        await heard.until(lambda: heard.trouble, "the trouble, now that there was one")


async def test_enabled_says_that_there_is_no_socket(tmp_path, place, monkeypatch):
    monkeypatch.setattr(docker_hosts, "SOCKETS", (str(place),))
    monkeypatch.setattr(docker_hosts, "SYSTEM_SOCKET", str(place))
    reason, _ = await trouble(None, DockerConfig(enabled=True), HOME=str(tmp_path))
    assert "there is no such socket" in reason


@pytest.mark.parametrize(
    ("event", "name"),
    [
        ({"Type": "container", "Action": "start", "Actor": {"ID": "a"}}, "a"),
        ({"Type": "container", "Action": "health_status: healthy", "Actor": {"ID": "a"}}, "a"),
        ({"Type": "container", "Action": "exec_start: true", "Actor": {"ID": "a"}}, ""),
        ({"Type": "container", "Action": "create", "Actor": {"ID": "a"}}, ""),
        ({"Type": "network", "Action": "connect", "Actor": {"ID": "n", "Attributes": {"container": "a"}}}, "a"),
        ({"Type": "network", "Action": "create", "Actor": {"ID": "n", "Attributes": {}}}, ""),
        ({"status": "died", "id": "a"}, "a"),
        ({}, ""),
    ],
)
def test_which_container_an_event_is_about(event, name):
    assert getattr(docker_events.parse_event(event), "id", "") == name


@pytest.mark.parametrize("seed", range(4))
async def test_after_any_changes_it_knows_what_a_new_listing_says(replay, listening, seed):
    dice = random.Random(seed)
    async with watching(replay.url, hold=0) as heard:
        for _ in range(150):
            churn(replay, dice, listening)
            if dice.random() < 0.2:
                await asyncio.sleep(0)
        replay.put(box("last", {"dev.route": "last"}, port=listening), "start")
        await heard.live("last")
        async with watching(replay.url, hold=0) as fresh:
            await fresh.live("last")
            await heard.until(lambda: tables(heard) == tables(fresh), "both to agree")
        assert set(heard.refusals(quiet=True)) == set(fresh.refusals(quiet=True))


def churn(replay, dice, port):
    """One change of one of eight containers, as the engine would tell it."""
    name, route = f"c{dice.randrange(8)}", f"n{dice.randrange(4)}"
    identity = box(name)["Id"]
    change = dice.choice(["start", "start", "die", "pause", "rename", "destroy"])
    if change == "destroy":
        if identity in replay.containers:
            replay.drop(identity)
        return
    status = {"die": "exited", "pause": "paused"}.get(change, "running")
    age = f"2026-11-20T06:36:{dice.randrange(60):02}Z"
    shown = box(
        f"{name}-{dice.randrange(2)}", {"dev.route": route}, port=port, status=status, identity=identity, started=age
    )
    replay.put(shown, change)


def tables(heard):
    return sorted(heard.words[-1].routes, key=repr) if isinstance(heard.words[-1], Statement) else None
