"""Does somebody listen at a target: one bounded connect each, all at once."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Iterable
from time import perf_counter

from devdns.control.explain import Check
from devdns.core.routes import SPOKEN, Target

BOUND = 0.2
MOST_CHECKED = 32


async def check_all(targets: Iterable[Target]) -> tuple[Check, ...]:
    """A check of each target (at most 32 of a pool), in their order; takes little more than `BOUND` seconds."""
    return tuple(await asyncio.gather(*(check(target) for target in list(targets)[:MOST_CHECKED])))


async def check(target: Target) -> Check:
    """Connects and hangs up; not where a connect would prove nothing."""
    if target.scheme not in SPOKEN:
        return Check(str(target), False, f"{target.scheme} targets are not supported yet", 0.0)
    start = perf_counter()
    try:
        async with asyncio.timeout(BOUND):
            await _connect(target)
        found, detail = True, "a connect succeeds"
    except TimeoutError:
        found, detail = False, f"no answer within {BOUND * 1000:.0f} ms"
    except OSError as error:
        found, detail = False, _words(error)
    return Check(str(target), found, detail, round((perf_counter() - start) * 1000, 2))


async def _connect(target: Target) -> None:
    if target.path:
        _, writer = await asyncio.open_unix_connection(target.path)
    else:
        _, writer = await asyncio.open_connection(target.host, target.port)
    writer.transport.abort()


def _words(error: OSError) -> str:
    if error.errno == errno.ECONNREFUSED:
        return "connection refused: nothing listens there"
    if error.errno and error.errno > 0:
        return os.strerror(error.errno).lower()
    return (error.strerror or str(error)).lower()  # of a name that does not resolve, whose number is no errno
