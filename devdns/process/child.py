"""A child process: `python -m devdns.process.child control|resolver|proxy`, started by the supervisor or stand-alone.

Order matters: import everything, take the sockets, give up privileges, serve, say ready. A child ends on SIGTERM (after
draining) or when the supervisor is gone.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Callable, Coroutine, Mapping

import structlog

from devdns.core.errors import DevdnsError
from devdns.process import logs, privileges, standalone
from devdns.process.inherit import Inherited
from devdns.process.parts import Part, make

log = structlog.get_logger()


def main(name: str, environ: Mapping[str, str]) -> int:
    """Runs the part `name` to its end; returns the exit code."""
    logs.configure(name, debug=bool(environ.get("DEVDNS_DEBUG")))
    try:
        inherited = (
            standalone.open_sockets(name, environ) if "DEVDNS_STANDALONE" in environ else Inherited.read(environ)
        )
        part, loops = make(name, environ, inherited), loop_factory()
        privileges.drop(environ, part.groups)
        if environ.get("DEVDNS_DEBUG"):
            sys.addaudithook(tell_late_import)
        run(serve(part, inherited.supervisor), loops)
    except DevdnsError as error:
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
    if supervisor is not None:
        supervisor.setblocking(False)
        loop.add_reader(supervisor, stopping.set)  # it never speaks: readable means it is gone
    starting = asyncio.ensure_future(part.start())
    told = asyncio.ensure_future(stopping.wait())
    await asyncio.wait((starting, told), return_when=asyncio.FIRST_COMPLETED)
    if starting.done():
        starting.result()
        if supervisor is not None:
            supervisor.send(b"R")
        log.debug("ready")
        await told
        await part.stop()
    else:
        starting.cancel()
        await asyncio.wait((starting,))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], os.environ))
