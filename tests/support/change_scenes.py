"""The changes that a developer's stack goes through, each as often as its scene asks for, all under load.

A scene's function prepares its backends, then makes one change a turn.
"""

import functools
import time
from itertools import cycle

from docker.models.containers import Container

from support import apps, relays
from support.change import BOUND, STOP, Change, Scene, Turn, together
from support.containers import address, body, nonce, published
from support.ports import lasting_port
from support.waiting import until, wait_until

GRACEFUL = {"flags": ("--stop", "graceful", "--takes", "0.02")}
UNNAMED = {"labels": {"dev.enable": "false"}}
LATE = 10  # requests for whose time a relay is late
MILLISECOND = 1_000_000  # Docker's unit is the nanosecond
WELL = ["CMD", "/bin/busybox", "wget", "-q", "-O", "-", "http://127.0.0.1:8000/healthz"]
CHECK = {"test": WELL, "interval": 250 * MILLISECOND, "retries": 100, "start_period": 10_000 * MILLISECOND}


async def restarted(scene: Scene) -> None:
    """`docker restart` of what ends at once."""
    api = await scene.start()
    async for _ in scene.turns():
        await scene.back(api.restart)


async def graceful(scene: Scene) -> None:
    """`docker restart` of what answers the requests in hand first."""
    api = await scene.start(**GRACEFUL)
    async for _ in scene.turns():
        await scene.back(api.restart)


async def moved(scene: Scene) -> None:
    """Stopped, its address taken by a stranger, started with another one."""
    api = await scene.start()
    async for _ in scene.turns():
        await scene.call(api.stop, timeout=STOP)
        stranger = await scene.stranger()
        await scene.back(api.start)
        await scene.call(stranger.remove, force=True)


async def recreated(scene: Scene) -> None:
    """Removed and made anew on another port, as `docker-compose up` does after an edit."""
    api, ports = await scene.start(8000), cycle((9000, 8000))
    async for _ in scene.turns():
        await scene.remove(api)
        api = await scene.start(next(ports))


async def replaced(scene: Scene) -> None:
    """Removed, and another container, of another name, takes its route."""
    api, beside = await scene.start(), cycle(("-2", ""))
    async for _ in scene.turns():
        await scene.remove(api)
        api = await scene.start(beside=next(beside))


async def killed(scene: Scene) -> None:
    """SIGKILL to the process; the engine starts it again by its policy, at once if it had not failed before."""
    api = await scene.start(restart_policy={"Name": "always"})
    async for _ in scene.turns(fresh=api.restart):
        await scene.back(apps.kill, api, scene.stamps)


async def lagging(scene: Scene) -> None:
    """The same on a published port whose relay has no turn until some more requests were sent: it tells the end late."""
    api = await scene.start(restart_policy={"Name": "always"})

    def kill(turn: Turn) -> None:
        with relays.halted(published(api)):
            apps.kill(api, scene.stamps)
            enough = turn.probe.sent + LATE
            wait_until(lambda: turn.probe.sent >= enough)

    async for turn in scene.turns(fresh=api.restart):
        await scene.back(kill, turn)


async def scaled(scene: Scene) -> None:
    """One replica, two, and one again: the first one goes."""
    labels = {"com.docker.compose.project": "shop", "com.docker.compose.service": scene.name}
    first, beside = await scene.start(labels=labels, **GRACEFUL), cycle(("-2", ""))
    async for turn in scene.turns():
        second = await scene.start(beside=next(beside), labels=labels, **GRACEFUL)
        await _answers(turn, second)
        await scene.remove(first)
        first = second


async def checked(scene: Scene) -> None:
    """A restart after which it listens at once and is well three seconds later, as its health check says."""
    api = await scene.start(flags=("--warm", "3"), healthcheck=CHECK)
    async for _ in scene.turns(slack=0.5):
        await scene.back(api.restart)


async def asked(scene: Scene) -> None:
    """The same, by `dev.health`: devdns asks the service itself."""
    api = await scene.start(flags=("--warm", "3"), labels={"dev.health": "/healthz"})
    async for _ in scene.turns(slack=1.0):
        await scene.back(api.restart)


async def renamed(scene: Scene) -> None:
    """`docker rename`: nothing changes for anybody who asks."""
    api = await scene.start()
    async for _ in scene.turns():
        await scene.call(api.rename, f"{api.name}-anew")
        await scene.call(api.reload)


async def paused(scene: Scene) -> None:
    """Paused for half a second: it takes connections, and is silent."""
    api = await scene.start()
    async for turn in scene.turns():
        async with scene.out(api):
            await scene.call(api.pause)
            await turn.more(50)
            await scene.call(api.unpause)


async def replugged(scene: Scene) -> None:
    """Joined to another network and taken from the one it was in, whose address falls silent with what was on its way.

    Nobody tells the one who waits: the kernel finds out within about two seconds, since its probes count in whole ones.
    """
    networks = [await scene.call(scene.engine.network, f"{scene.name}-{number}") for number in (1, 2)]
    api = await scene.start(network_mode=networks[0].name)
    async for _ in scene.turns(slack=2.0):
        old, new = networks
        await scene.call(new.connect, api)
        async with scene.out(api, lost=True):
            await scene.call(old.disconnect, api)
        networks = [new, old]


async def edited(scene: Scene) -> None:
    """The routes file leads to another container; the one it led to goes once the new one answers."""
    old, beside = await scene.start(**UNNAMED, **GRACEFUL), cycle(("-2", ""))
    scene.routes.write(**{scene.name: _place(scene, old)})
    async for turn in scene.turns():
        new = await scene.start(beside=next(beside), **UNNAMED, **GRACEFUL)
        scene.routes.write(**{scene.name: _place(scene, new)})
        await _answers(turn, new)
        await scene.remove(old)
        old = new


async def swapped(scene: Scene) -> None:
    """Two services go, and each is made anew on the port, and where the engine gives it the address, of the other."""
    other = scene.beside("too")
    places = [(8000, lasting_port()), (9000, lasting_port())]
    one, two = [
        await each.start(port, published=there) for each, (port, there) in zip((scene, other), places, strict=True)
    ]
    async for _ in together(scene.turns(), other.turns()):
        await scene.remove(one)
        await other.remove(two)
        places.reverse()
        two = await other.start(places[1][0], published=places[1][1])
        one = await scene.start(places[0][0], published=places[0][1])
    scene.done += other.done


async def daemon(scene: Scene) -> None:
    """The engine itself is restarted, and its containers with it."""
    api = await scene.start(restart_policy={"Name": "always"})
    async for turn in scene.turns():
        await _engine_back(scene, turn, api, scene.engine.daemon_restart)


async def crashed(scene: Scene) -> None:
    """The engine is killed, and its proxies of published ports with it; containers run on until it is back and starts them anew."""
    api = await scene.start(restart_policy={"Name": "always"})
    async for turn in scene.turns():
        end = await scene.call(apps.note_end, api, scene.stamps)
        apps.stamp(scene.stamps, "down", "engine")
        if scene.published:
            apps.note("cut", api, scene.stamps)
        await scene.call(functools.partial(scene.engine.daemon_stop, kill=True))
        apps.stamp(scene.stamps, "gone", "engine")
        await _engine_back(scene, turn, api, scene.engine.daemon_start)
        end.join()


async def respawned(scene: Scene) -> None:
    """A server on this machine ends, and is started again where it was."""
    port = lasting_port()
    api = await scene.spawn(port)
    scene.routes.write(**{scene.name: str(port)})
    async for _ in scene.turns():
        await scene.call(apps.end, api)
        api = await scene.spawn(port)


async def rehomed(scene: Scene) -> None:
    """A server on this machine ends, and is started on another port, which the file says by then."""
    port = lasting_port()
    api = await scene.spawn(port)
    scene.routes.write(**{scene.name: str(port)})
    async for _ in scene.turns():
        port = lasting_port()
        await scene.call(apps.end, api)
        scene.routes.write(**{scene.name: str(port)})
        api = await scene.spawn(port)


async def exchanged(scene: Scene) -> None:
    """Two servers on this machine end, and each is started on the other's port once devdns knows."""
    other = scene.beside("too")
    places = lasting_port(), lasting_port()
    apis = [await scene.spawn(places[0]), await other.spawn(places[1])]
    scene.routes.write(**{scene.name: str(places[0]), other.name: str(places[1])})
    async for _ in together(scene.turns(), other.turns()):
        for api in apis:
            await scene.call(apps.end, api)
        places = places[::-1]
        scene.routes.write(**{scene.name: str(places[0]), other.name: str(places[1])})
        await scene.leads_to(f"127.0.0.1:{places[0]}")
        apis = [await scene.spawn(places[0]), await other.spawn(places[1])]
    scene.done += other.done


async def _engine_back(scene: Scene, turn: Turn, api: Container, start: Change) -> None:
    """Starts the engine. It may answer later than its containers do, and they may be out of anybody's reach for longer still:
    who asked for an address that nobody had is told of it by the kernel's next question for it, a second later.
    """

    def answering() -> float:
        start()
        return time.monotonic()

    answers = await scene.back(answering)
    await scene.call(scene.engine.sweep)
    await scene.call(wait_until, lambda: _reached(scene, api), BOUND, "the way to the container")
    up = max(at for at, word, _ in apps.ups_and_downs(scene.stamps) if word == "up")
    turn.slack = max(0.0, answers - up, time.monotonic() - up)


def _reached(scene: Scene, api: Container) -> bool:
    host, _, port = _place(scene, api).partition(":")
    try:
        return body(host, int(port)).startswith(nonce(api))
    except (OSError, LookupError):
        return False


async def _answers(turn: Turn, container: Container) -> None:
    """Waits until a request of the turn was answered by it."""
    seen = len(turn.probe.rows)
    await until(lambda: any(row.backend == nonce(container) for row in turn.probe.rows[seen:]))


def _place(scene: Scene, container: Container) -> str:
    return f"127.0.0.1:{published(container)}" if scene.published else f"{address(container)}:8000"
