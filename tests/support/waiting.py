"""Waiting for what has no event of its own, always with a bound: the one place in the tests that polls."""

import asyncio
import time

BOUND = 10.0
STEP = 0.005


async def until(condition, bound=BOUND):
    """Returns the first true value of `condition()`; fails after `bound` seconds."""
    async with asyncio.timeout(bound):
        while not (value := condition()):  # noqa: ASYNC110 - what is waited for is outside this process or has no event
            await asyncio.sleep(STEP)
    return value


def wait_until(condition, bound=BOUND, what="it"):
    """The same without a loop."""
    deadline = time.monotonic() + bound
    while not (value := condition()):
        assert time.monotonic() < deadline, f"{what} did not happen within {bound} s"
        time.sleep(STEP)
    return value
