"""Plays scenes of change against a real engine and a running devdns, and judges them."""

import asyncio
import json
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from support import change_scenes as changes
from support.change import MOST_VOID, Scene, Surroundings
from support.engine import Engine
from support.stack import Stack
from support.waiting import wait_until

Play = Callable[[Scene], Coroutine[Any, Any, None]]
#: The long ones first, so that nothing is left to run alone.
CONTAINERS: Sequence[Play] = (
    changes.checked,
    changes.asked,
    changes.moved,
    changes.swapped,
    changes.recreated,
    changes.replaced,
    changes.restarted,
    changes.graceful,
    changes.killed,
    changes.scaled,
    changes.edited,
    changes.paused,
    changes.renamed,
    changes.replugged,
)
#: What only a relay before the container can do.
RELAYED: Sequence[Play] = (changes.lagging,)
#: Each needs the engine for itself.
DAEMONS: Sequence[Play] = (changes.daemon, changes.crashed)
#: No engine at all: servers on this machine.
PROCESSES: Sequence[Play] = (changes.respawned, changes.rehomed, changes.exchanged)


#: With HTTPS too, which a stack of the tests leaves out.
SECURE = ("--dns", "127.0.0.1:0", "--http", "127.0.0.1:0", "--https", "127.0.0.1:0")


@contextmanager
def surroundings(
    engine: Engine, folder: Path, *, published: bool = False, secure: bool = False
) -> Iterator[Surroundings]:
    """A stack on the engine, which reaches containers at their own addresses, or only at published ports."""
    engine.folder.chmod(0o711)
    with ExitStack() as held:
        if published:
            held.enter_context(engine.unrouted())
        stack = held.enter_context(
            Stack(folder, "", *(SECURE if secure else ()), DOCKER_HOST=engine.url, DEVDNS_DOCKER_ENABLED="true")
        )
        wait_until(lambda: docker_state(stack) == "ok", what="a word of Docker")
        yield Surroundings(engine, stack, folder / "stamps", published=published, secure=secure)


def docker_state(stack: Stack) -> str:
    """What devdns says of its source Docker."""
    sources = json.loads(stack.run("status", "--json").stdout)["sources"]
    return next(each["state"] for each in sources if each["source"] == "docker")


@contextmanager
def no_engine(folder: Path, *, secure: bool = False) -> Iterator[Surroundings]:
    """A stack of file routes; whatever the scenes start on this machine ends with it."""
    with Stack(folder, "", *(SECURE if secure else ())) as stack:
        around = Surroundings(None, stack, folder / "stamps", secure=secure)
        try:
            yield around
        finally:
            for process in around.processes:
                process.kill()
                process.wait()


async def play(around: Surroundings, plays: Sequence[Play], repeats: int, *, at_once: int) -> list[Scene]:
    """Every scene to its end, `at_once` of them at a time."""
    room = asyncio.Semaphore(at_once)

    async def one(play: Play) -> Scene:
        async with room:
            scene = Scene(around, play.__name__, repeats)
            await play(scene)
            print(scene.report())  # noqa: T201 - shown on failure, and by `make evidence`
            return scene

    return await asyncio.gather(*(one(each) for each in plays))


def judged(scenes: Sequence[Scene]) -> None:
    """Nothing failed, nothing was misrouted, in any turn."""
    failures = [failure for scene in scenes for failure in scene.failures()]
    assert not failures, "requests failed:\n" + "\n".join(failures)
    assert all(len(scene.done) >= scene.repeats and len(scene.void) <= MOST_VOID for scene in scenes)
