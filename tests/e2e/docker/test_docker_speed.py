"""From Docker's own `start` event to the statement that the route is live, its service already listening."""

import asyncio
import contextlib
import functools
import statistics
import time

import pytest

pytestmark = pytest.mark.engine
ROUNDS = 15
BOUND_MS = 20


async def test_a_start_is_said_within_20_ms(engine, heard):
    """The containers use the network of one that listens already, so that nothing but devdns takes time."""
    started = {}

    def note(events):
        for event in events:
            started[event["Actor"]["Attributes"]["name"]] = event["timeNano"] / 1e6

    front = await asyncio.to_thread(functools.partial(engine.run, "front", {"dev.route": "front"}))
    await heard.live("front")
    took = []
    with contextlib.closing(engine.client.events(decode=True, filters={"event": "start"})) as events:
        noting = asyncio.create_task(asyncio.to_thread(note, events))
        for number in range(ROUNDS):
            name = f"c{number}"
            options = {"expose": [], "command": ["sleep", "60"], "network_mode": f"container:{front.id}"}
            create = functools.partial(engine.create, name, {"dev.route": name, "dev.port": "8000"}, **options)
            container = await asyncio.to_thread(create)
            starting = asyncio.create_task(asyncio.to_thread(container.start))
            await heard.live(name)
            took.append((name, time.time() * 1000))
            await starting
    await noting
    delays = [said - started[name] for name, said in took]
    assert statistics.median(delays) < BOUND_MS, f"milliseconds: {[round(delay, 1) for delay in sorted(delays)]}"
