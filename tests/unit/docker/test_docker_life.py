"""What becomes of a route while its container lives and dies: events and inspections of a replayed engine, step by step."""

import socket
from contextlib import ExitStack, contextmanager
from functools import partial

import pytest
from msgspec.structs import replace
from support.docker_heard import watching
from support.inspections import inspection
from support.replay import replaying
from support.waiting import until

from devdns.core.routes import Route, State, Target
from devdns.core.sources import Trouble
from devdns.providers import docker, docker_memory, docker_reach, docker_stack
from devdns.providers.docker_hosts import EngineLost
from devdns.providers.docker_memory import Memory

API = {"dev.route": "api"}
WEB = {"com.docker.compose.project": "shop", "com.docker.compose.service": "web"}
GONE = None
LIVE, STARTING, RESTARTING = State.LIVE, State.STARTING, State.RESTARTING
LATER = "2026-11-20T07:00:00Z"


@pytest.fixture
def replay(tmp_path):
    with replaying(tmp_path / "docker.sock") as replay:
        yield replay


@pytest.fixture
def ports():
    """Three ports, a, b and c, of every loopback address, where somebody listens."""
    with ExitStack() as stack:
        servers = [stack.enter_context(socket.create_server(("", 0), backlog=500)) for _ in range(3)]
        yield dict(zip("abc", (server.getsockname()[1] for server in servers), strict=True))


def box(name="api", port=1, address="127.0.0.1", labels=API, **options):
    return inspection(name, labels, exposed=(f"{port}/tcp",), addresses={"bridge": address}, **options)


class Scene:
    """A provider on a replayed engine. `expect` waits for the state and targets of api.dev.test."""

    def __init__(self, replay, heard, ports):
        self.replay, self.heard, self.ports = replay, heard, ports

    async def expect(self, state, *targets, reason=""):
        def right():
            found = self.heard.route("api")
            if found is None or state is None:
                return found is state
            return found.state is state and found.targets == targets and reason in found.reason

        targets = [Target(*target) if isinstance(target, tuple) else Target("127.0.0.1", target) for target in targets]
        targets = tuple(targets)
        try:
            await self.heard.until(right, f"{state} at {targets}: {reason}", 5)
        except AssertionError as error:
            raise AssertionError(f"{error}; it is {self.heard.route('api')}") from None

    def put(self, *args, does=("start",), **options):
        self.replay.put(box(*args, **options), *does)

    def signal(self, number):
        said = {"name": "api", "signal": number}
        actor = {"ID": box()["Id"], "Attributes": said}
        self.replay.send({"Type": "container", "Action": "kill", "Actor": actor})

    def network(self, action):
        actor = {"ID": "n", "Attributes": {"container": box()["Id"], "name": "bridge"}}
        self.replay.send({"Type": "network", "Action": action, "Actor": actor})


async def restart(scene):
    a = scene.ports["a"]
    scene.put(port=a, does=["start"])
    await scene.expect(LIVE, a)
    scene.put(port=a, status="exited", does=["kill", "die"])
    await scene.expect(RESTARTING, a, reason="container api stopped (exit code 137)")
    scene.put(port=a, started=LATER, does=["stop", "start", "restart"])
    await scene.expect(LIVE, a)


async def a_new_address(scene):
    await restart(scene)
    a = scene.ports["a"]
    scene.put(port=a, status="exited", does=["die"])
    await scene.expect(RESTARTING, a)
    scene.put(port=a, address="127.0.0.2", started=LATER, does=["start"])
    await scene.expect(LIVE, ("127.0.0.2", a))


async def recreated_under_its_name_with_another_port(scene):
    a, b = scene.ports["a"], scene.ports["b"]
    scene.put(port=a, identity="1")
    await scene.expect(LIVE, a)
    scene.put(port=a, identity="1", status="exited", does=["die"])
    scene.replay.drop("1")
    await scene.expect(RESTARTING, a, reason="container api was removed")
    scene.put(port=b, identity="2", started=LATER, does=["start"])
    await scene.expect(LIVE, b)


async def recreated_by_compose(scene):
    """The new container is made under another name before the old one ends, and renamed."""
    a, b = scene.ports["a"], scene.ports["b"]
    scene.put("web-1", a, labels={**API, **WEB}, identity="1")
    await scene.expect(LIVE, a)
    scene.put("x_web-1", b, labels={**API, **WEB}, identity="2", status="created", does=["create"])
    scene.put("web-1", a, labels={**API, **WEB}, identity="1", status="exited", does=["die"])
    await scene.expect(RESTARTING, a)
    scene.replay.drop("1")
    scene.put("web-1", b, labels={**API, **WEB}, identity="2", started=LATER, does=["rename", "start"])
    await scene.expect(LIVE, b)


async def recreated_without_its_label(scene):
    a = scene.ports["a"]
    scene.put(port=a, identity="1", labels={**API, "dev.hold": "1h"})
    await scene.expect(LIVE, a)
    scene.replay.drop("1")
    await scene.expect(RESTARTING, a)
    scene.put(port=a, identity="2", labels={"dev.route": "other"}, does=["start"])
    await scene.expect(GONE)


async def recreated_switched_off(scene):
    a = scene.ports["a"]
    scene.put(port=a, identity="1", labels={**API, "dev.hold": "1h"})
    await scene.expect(LIVE, a)
    scene.replay.drop("1")
    await scene.expect(RESTARTING, a)
    scene.put(port=a, identity="2", labels={**API, "dev.enable": "false"}, does=["start"])
    await scene.expect(GONE)


async def removed_for_good(scene):
    a = scene.ports["a"]
    scene.put(port=a, labels={**API, "dev.hold": "100ms"})
    await scene.expect(LIVE, a)
    scene.replay.drop(box(port=a)["Id"])
    await scene.expect(RESTARTING, a, reason="container api was removed")
    await scene.expect(GONE)


async def crashing_again_and_again(scene):
    a, labels = scene.ports["a"], {**API, "dev.hold": "100ms"}
    scene.put(port=a, labels=labels)
    await scene.expect(LIVE, a)
    scene.put(port=a, labels=labels, status="restarting", does=["die"])
    await scene.expect(RESTARTING, a, reason="is being restarted")
    await scene.expect(RESTARTING)  # its hold is over, and Docker still says so
    scene.put(port=a, labels=labels, started=LATER, does=["start"])
    await scene.expect(LIVE, a)


async def paused(scene):
    a, labels = scene.ports["a"], {**API, "dev.hold": "100ms"}
    scene.put(port=a, labels=labels)
    await scene.expect(LIVE, a)
    scene.put(port=a, labels=labels, status="paused", does=["pause"])
    await scene.expect(RESTARTING, a, reason="container api is paused: docker unpause api")
    await scene.expect(State.UNREACHABLE, a, reason="container api is paused: docker unpause api")
    scene.put(port=a, labels=labels, does=["unpause"])
    await scene.expect(LIVE, a)


async def a_signal_that_is_survived(scene):
    a = scene.ports["a"]
    scene.put(port=a)
    await scene.expect(LIVE, a)
    scene.signal("15")
    await scene.expect(RESTARTING, a, reason="container api is being stopped")
    await scene.expect(LIVE, a)


async def a_signal_that_is_not(scene):
    """For a moment the engine says that it runs, and its port is open."""
    a = scene.ports["a"]
    scene.put(port=a)
    await scene.expect(LIVE, a)
    said = len(scene.heard.words)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(docker_stack, "SIGNALLED", 60)  # however slow this machine is
        scene.signal("9")
        await scene.expect(RESTARTING, a, reason="container api is being stopped")
    scene.put("other", scene.ports["b"], labels={"dev.route": "other"})
    await scene.heard.live("other")
    scene.put(port=a, status="exited", does=["die"])
    await scene.expect(RESTARTING, a, reason="container api stopped (exit code 137)")
    states = [each.state for word in scene.heard.words[said:] for each in word.routes if each.owner == "api"]
    assert set(states) == {RESTARTING}


async def a_signal_that_is_none_of_our_business(scene):
    a = scene.ports["a"]
    scene.put(port=a)
    await scene.expect(LIVE, a)
    said = len(scene.heard.words)
    scene.signal("1")
    scene.put(port=a, labels={**API, "dev.strip": "true"}, does=["update"])
    await scene.heard.until(lambda: scene.heard.route("api").options.strip, "something newer")
    assert all(each.state is LIVE for word in scene.heard.words[said:] for each in word.routes)


async def scaled_up_and_down(scene):
    a, b, labels = scene.ports["a"], scene.ports["b"], {**API, **WEB}
    scene.put("web-1", a, labels=labels)
    await scene.expect(LIVE, a)
    scene.put("web-2", b, labels=labels, started=LATER, health="starting", does=["start"])
    scene.put("web-2", b, labels=labels, started=LATER, health="healthy", does=["health_status: healthy"])
    await scene.expect(LIVE, a, b)
    scene.put("web-1", a, labels=labels, status="exited", does=["die"])
    await scene.expect(LIVE, b)
    scene.put("web-2", b, labels=labels, status="exited", does=["die"])
    await scene.expect(RESTARTING, b, reason="container web-2 stopped")
    scene.put("web-1", a, labels=labels, started=LATER, does=["start"])
    await scene.expect(LIVE, a)


async def health_checks(scene):
    a = scene.ports["a"]
    scene.put(port=a, health="starting", does=["start"])
    await scene.expect(STARTING, a)
    scene.put(port=a, health="healthy", does=["health_status: healthy"])
    await scene.expect(LIVE, a)
    scene.put(port=a, health="unhealthy", does=["health_status: unhealthy"])
    await scene.expect(State.UNHEALTHY, a)
    scene.put(port=a, health="healthy", does=["health_status: healthy"])
    await scene.expect(LIVE, a)


async def moved_from_network_to_network(scene):
    a = scene.ports["a"]
    scene.put(port=a)
    await scene.expect(LIVE, a)
    scene.put(port=a, address="", does=())
    scene.network("disconnect")
    await scene.expect(RESTARTING, a, reason="container api is on no network now")
    scene.put(port=a, address="127.0.0.3", does=())
    scene.network("connect")
    await scene.expect(LIVE, ("127.0.0.3", a))


async def on_two_networks(scene):
    a = scene.ports["a"]
    both = inspection("api", API, exposed=(f"{a}/tcp",), addresses={"back": "127.0.0.8", "front": "127.0.0.9"})
    scene.replay.put(both, "start")
    await scene.expect(LIVE, ("127.0.0.8", a))
    scene.replay.put(inspection("api", API, exposed=(f"{a}/tcp",), addresses={"front": "127.0.0.9"}))
    scene.network("disconnect")
    await scene.expect(LIVE, ("127.0.0.9", a))


async def renamed(scene):
    a = scene.ports["a"]
    scene.put(port=a, identity="1")
    await scene.expect(LIVE, a)
    scene.put("better", a, identity="1", does=["rename"])
    await scene.heard.until(lambda: scene.heard.route("api").owner == "better", "the new name")
    assert scene.heard.route("api").state is LIVE


async def on_the_network_of_the_host(scene):
    a, b = scene.ports["a"], scene.ports["b"]
    scene.put(port=a, address="", mode="host")
    await scene.expect(LIVE, a)
    scene.put(port=a, address="", mode="host", status="exited", does=["die"])
    await scene.expect(RESTARTING, a)
    scene.put(port=b, address="", mode="host", started=LATER, does=["start"])
    await scene.expect(LIVE, b)


async def in_the_network_of_another(scene):
    a = scene.ports["a"]
    scene.put("front", a, labels={}, identity="f")
    scene.put("side", a, address="", mode="container:f", identity="s")
    await scene.expect(LIVE, a)
    scene.put("front", a, labels={}, identity="f", status="exited", does=["die"])
    await scene.expect(RESTARTING, a, reason="container front stopped")
    scene.put("front", a, "127.0.0.4", labels={}, identity="f", started=LATER, does=["start"])
    await scene.expect(LIVE, ("127.0.0.4", a))


LIVES = [
    restart,
    a_new_address,
    recreated_under_its_name_with_another_port,
    recreated_by_compose,
    recreated_without_its_label,
    recreated_switched_off,
    removed_for_good,
    crashing_again_and_again,
    paused,
    a_signal_that_is_survived,
    a_signal_that_is_not,
    a_signal_that_is_none_of_our_business,
    scaled_up_and_down,
    health_checks,
    moved_from_network_to_network,
    on_two_networks,
    renamed,
    on_the_network_of_the_host,
    in_the_network_of_another,
]


@pytest.mark.parametrize("life", LIVES, ids=lambda life: life.__name__)
async def test_a_life(replay, ports, life):
    async with watching(replay.url) as heard:
        await heard.until(lambda: heard.words, "the first word")
        await life(Scene(replay, heard, ports))


async def test_what_fell_is_told_before_the_engine_says_what_became_of_it(replay, ports):
    """While it tears down a container's network the engine answers nothing about it."""
    a = ports["a"]
    replay.put(box(port=a))
    async with watching(replay.url) as heard:
        await heard.live("api")
        asked = len(replay.asked)
        with replay.silent():
            replay.emit(box()["Id"], "die")
            await heard.until(lambda: heard.state("api") is RESTARTING, "the death")
            assert all(path == f"/containers/{box()['Id']}/json" for _, path in replay.asked[asked:])


async def test_what_is_waited_for_is_asked_of_while_the_engine_hangs_on_all_others(replay, ports):
    a, others = ports["a"], [f"other-{number}" for number in range(20)]
    replay.put(box(port=a))
    async with watching(replay.url) as heard:
        await heard.live("api")
        replay.put(box(port=a, status="exited"), "die")
        await heard.until(lambda: heard.state("api") is RESTARTING, "the death")
        with replay.silent(*others):
            for name in others:
                replay.put(box(name, a, identity=name, labels={"dev.route": name}), "start")
            await until(lambda: sum("/other-" in path for _, path in replay.asked) >= 3)
            replay.put(box(port=a, started=LATER), "start")
            await heard.live("api")


async def test_a_second_claim_waits_while_the_first_owner_is_down(replay, ports):
    replay.put(box("first", ports["a"], labels={**API, "dev.hold": "200ms"}))
    replay.put(box("second", ports["b"], started=LATER))
    async with watching(replay.url) as heard:
        assert (await heard.live("api")).owner == "first"
        replay.put(box("first", ports["a"], labels={**API, "dev.hold": "200ms"}, status="exited"), "die")
        await heard.until(lambda: heard.state("api") is RESTARTING, "the death")
        assert heard.route("api").owner == "first"
        await heard.until(lambda: heard.route("api").owner == "second", "the heir")


async def test_while_the_engine_is_away_what_answers_stays_and_what_refuses_is_held(replay, ports, monkeypatch):
    monkeypatch.setattr(docker_stack, "REVIEW", 600)
    dead = socket.create_server(("127.0.0.1", 0))
    shut = dead.getsockname()[1]
    replay.put(box("stays", ports["a"], labels={"dev.route": "stays"}))
    replay.put(box(port=shut, labels={**API, "dev.hold": "300ms"}))
    async with watching(replay.url) as heard:
        await heard.live("stays")
        await heard.live("api")
        dead.close()
        with replay.away():
            await heard.until(lambda: heard.trouble and heard.state("api") is RESTARTING, "the refusal")
            assert heard.route("api").reason == docker_memory.AWAY
            assert heard.route("api").targets == (Target("127.0.0.1", shut),)
            await heard.until(lambda: heard.state("api") is State.UNREACHABLE, "the end of its hold")
            assert heard.route("stays").state is LIVE
        replay.put(box(port=ports["b"]))
        assert (await heard.live("api")).targets == (Target("127.0.0.1", ports["b"]),)
        assert heard.trouble is None


async def test_what_ends_while_an_engine_that_is_back_does_not_answer_yet_is_held(replay, ports):
    """Such an engine takes connections, and its containers down, seconds before it tells so."""
    going = socket.create_server(("127.0.0.1", 0))
    replay.put(box("stays", ports["a"], labels={"dev.route": "stays"}))
    replay.put(box(port=going.getsockname()[1]))
    async with watching(replay.url) as heard:
        await heard.live("stays")
        await heard.live("api")
        with replay.silent():
            replay.asked.clear()
            replay.hang_up()
            await heard.until(lambda: heard.trouble, "the trouble")
            await until(lambda: replay.asked)
            going.close()
            await heard.until(lambda: heard.state("api") is RESTARTING, "the refusal")
            assert heard.route("api").reason == docker_memory.AWAY
            assert heard.route("stays").state is LIVE
            replay.put(box(port=ports["b"]))
        assert (await heard.live("api")).targets == (Target("127.0.0.1", ports["b"]),)
        assert heard.trouble is None


async def test_an_engine_that_is_back_is_heard_as_soon_as_its_socket_takes_connections(replay, ports, monkeypatch):
    """Also where nobody waits: containers that ran on without it are started anew with it."""
    monkeypatch.setattr(docker, "FIRST_PAUSE", 600)
    monkeypatch.setattr(docker, "AWAITED_PAUSE", 600)
    replay.put(box(port=ports["a"]))
    async with watching(replay.url) as heard:
        await heard.live("api")
        with replay.shut():
            await heard.until(lambda: heard.trouble, "the trouble")
            assert heard.state("api") is LIVE
            replay.put(box(port=ports["b"], started=LATER))
        await heard.until(lambda: heard.trouble is None, "the engine")
        assert (await heard.live("api")).targets == (Target("127.0.0.1", ports["b"]),)


async def test_what_is_not_back_with_the_engine_is_held_and_followed(replay, ports):
    """After a restart of the engine its containers come up one by one."""
    replay.put(box(port=ports["a"]))
    replay.put(box("gone", ports["a"], labels={"dev.route": "gone", "dev.hold": "200ms"}))
    async with watching(replay.url) as heard:
        await heard.live("api")
        await heard.live("gone")
        replay.put(box(port=ports["a"], status="exited"))
        del replay.containers[box("gone")["Id"]]
        replay.hang_up()
        await heard.until(lambda: heard.state("api") is RESTARTING, "what is down")
        await heard.until(lambda: heard.state("gone") in (RESTARTING, GONE), "what is not there")
        await heard.gone("gone")
        replay.put(box(port=ports["b"], started=LATER), "start")
        assert (await heard.live("api")).targets == (Target("127.0.0.1", ports["b"]),)


async def test_an_engine_that_is_back_is_not_asked_anew_whether_own_addresses_are_in_reach(replay, ports, monkeypatch):
    """That they are not takes a while to find out, for which every request would wait."""
    with silent_address() as (address, port):
        place = {f"{port}/tcp": [{"HostIp": "127.0.0.1", "HostPort": str(ports["a"])}]}
        replay.put(inspection("api", API, exposed=(), published=place, addresses={"bridge": address}))
        async with watching(replay.url) as heard:
            await heard.live("api")
            monkeypatch.setattr(docker_reach, "knock", partial(docker_reach.knock, within=60))
            options = {"labels": {**API, "dev.strip": "true"}, "started": LATER}
            replay.put(inspection("api", exposed=(), published=place, addresses={"bridge": address}, **options))
            replay.hang_up()
            await heard.until(lambda: heard.route("api").options.strip and heard.state("api") is LIVE, "the new one", 5)
            assert heard.route("api").targets == (Target("127.0.0.1", ports["a"]),)


@contextmanager
def silent_address():
    """An address and a port that answer no connect: the queue is full."""
    with socket.socket() as sock, ExitStack() as waiting:
        sock.bind(("127.0.0.66", 0))
        sock.listen(0)
        for _ in range(3):
            caller = waiting.enter_context(socket.socket())
            caller.setblocking(False)
            caller.connect_ex(sock.getsockname())
        yield sock.getsockname()


async def test_what_comes_up_as_the_engine_goes_away_is_not_forgotten(replay, ports, monkeypatch):
    """An engine that is being stopped signals its containers, says that they run on, and is gone before that could be told."""
    take, a = docker_stack.Stack._take, ports["a"]

    def and_lose_the_engine(stack, container, old):
        take(stack, container, old)
        if old is not None:
            stack._end(EngineLost("gone"))

    replay.put(box(port=a))
    async with watching(replay.url) as heard:
        await heard.live("api")
        said = len(heard.words)
        monkeypatch.setattr(docker_stack.Stack, "_take", and_lose_the_engine)
        Scene(replay, heard, ports).signal("15")
        await heard.until(lambda: any(isinstance(word, Trouble) for word in heard.words[said:]), "the loss")
        monkeypatch.undo()
        await heard.live("api")
    assert all([route.owner for route in word.routes] == ["api"] for word in heard.words[said:])


async def test_silence_counts_when_it_lasts(monkeypatch):
    """A machine that just woke up is silent for a moment, too."""
    knocks = []

    async def silent(*knock):
        knocks.append(knock)
        return docker_memory.Knock.SILENT

    monkeypatch.setattr(docker_memory, "knock_published", silent)
    api = Route(host="api.dev.test", targets=(Target("10.9.0.2", 8000),), source="docker", owner="api")
    memory = Memory(15.0)
    assert await memory.look() is None
    memory.last = {"1": (api,)}
    assert await memory.look() == (api,)
    assert await memory.look() == (replace(api, state=RESTARTING, reason=docker_memory.AWAY),)
    await memory.look()
    assert len(knocks) == 2
