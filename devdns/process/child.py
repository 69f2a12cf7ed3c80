"""A child process: `python -m devdns.process.child control|resolver|proxy`, started by the supervisor or stand-alone.

Order matters: import everything, take the sockets, give up privileges, serve, say ready. A child ends on SIGTERM (after
draining) or when the supervisor is gone.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path

import structlog

from devdns.core.errors import DevdnsError
from devdns.process import landlock, logs, privileges, standalone
from devdns.process.inherit import Inherited, Named
from devdns.process.parts import Part, make

MOST_ORDER = 1 << 16
MOST_SOCKETS = 253  # SCM_MAX_FD
Order = tuple[list[Named], list[str]]
log = structlog.get_logger()


def main(name: str, environ: Mapping[str, str]) -> int:
    """Runs the part `name` to its end; returns the exit code."""
    logs.configure(name, debug=bool(environ.get("DEVDNS_DEBUG")))
    try:
        if "DEVDNS_STANDALONE" in environ:
            inherited, environ = standalone.open_sockets(name, environ)
        else:
            inherited = Inherited.read(environ)
        part, loops = make(name, environ, inherited), loop_factory()
        if (
            part.groups is None
        ):  # a parser of network bytes: it needs no file of the state folder, least of all the CA's key
            landlock.forbid_reading(Path(environ.get("DEVDNS_SNAPSHOTS", "snapshots.sock")).parent)
        privileges.drop(environ, part.groups)
        if environ.get("DEVDNS_DEBUG"):
            sys.addaudithook(tell_late_import)
        run(serve(part, inherited.supervisor), loops)
    except DevdnsError as error:
        with contextlib.suppress(OSError):
            print(f"devdns {name}: {error}", file=sys.stderr)  # noqa: T201 - the one line for the person
        return error.exit_code
    except Exception as error:
        log.critical("ended by an error of its own", error=repr(error), exc_info=bool(environ.get("DEVDNS_DEBUG")))
        return 70
    return 0


def tell_late_import(event: str, args: tuple[object, ...]) -> None:
    """Says which module is imported only now: as an unprivileged user it might not be found."""
    if event == "import":
        log.debug("late import", module=args[0])


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    """Uvloop where it exists (not on Windows), else asyncio."""
    try:
        import uvloop  # noqa: PLC0415 - an optional library
    except ImportError:
        return asyncio.new_event_loop
    return uvloop.new_event_loop


def run(work: Coroutine[object, object, None], loops: Callable[[], asyncio.AbstractEventLoop]) -> None:
    """Runs `work` to its end on a loop of that kind."""
    with asyncio.Runner(loop_factory=loops) as runner:
        runner.run(work)


async def serve(part: Part, supervisor: socket.socket | None) -> None:
    """Starts the part, says ready, and stops it in order when told to or left alone."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    orders: asyncio.Queue[Order] = asyncio.Queue()
    if supervisor is not None:
        supervisor.setblocking(False)
        loop.add_reader(supervisor, hear, supervisor, orders, stopping)
    starting = asyncio.ensure_future(part.start())
    told = asyncio.ensure_future(stopping.wait())
    await asyncio.wait((starting, told), return_when=asyncio.FIRST_COMPLETED)
    if starting.done():
        starting.result()
        if supervisor is not None:
            supervisor.send(b"R")
        log.debug("ready")
        following = asyncio.ensure_future(follow(part, orders))
        await told
        following.cancel()
        await part.stop()
    else:
        starting.cancel()
        await asyncio.wait((starting,))


def hear(supervisor: socket.socket, orders: asyncio.Queue[Order], stopping: asyncio.Event) -> None:
    """Takes one message of the supervisor: listeners to open or close. Nothing means that it is gone."""
    with contextlib.suppress(BlockingIOError):
        message, fds, _, _ = socket.recv_fds(supervisor, MOST_ORDER, MOST_SOCKETS)
        if not message:
            asyncio.get_running_loop().remove_reader(supervisor)
            stopping.set()
            return
        order = json.loads(message)
        named = [(name, socket.socket(fileno=fd)) for name, fd in zip(order["open"], fds, strict=True)]
        orders.put_nowait((named, order["close"]))


async def follow(part: Part, orders: asyncio.Queue[Order]) -> None:
    """Does what the supervisor says, in its order, until cancelled."""
    while True:
        opened, closed = await orders.get()
        try:
            for place in closed:
                part.close(place)
            await part.open(opened)
        except Exception:
            log.exception("listener not opened", names=[name for name, _ in opened])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], os.environ))
