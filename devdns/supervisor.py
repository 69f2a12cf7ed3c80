"""The supervisor: binds every listening socket and keeps it, starts the other processes with them, restarts what dies.

Standard library only and no event loop library, so that it stays small and has nothing in it that could fail. A child that
dies costs no new connection: the kernel queues them on the sockets kept here. `supervisor.json` in the state folder says
what runs; `supervisor.lock` is held as long as this process lives.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import selectors
import sys
import time
import uuid
from collections.abc import Mapping
from typing import TextIO

from devdns.bridge_watch import BridgeWatch
from devdns.children import MAX_DELAY, Child, outcome
from devdns.core.errors import DevdnsError
from devdns.handed import handed
from devdns.listeners import show
from devdns.openssl import configured
from devdns.plan import OURS, Plan, attach
from devdns.raw_doors import DoorsRefused, read
from devdns.signals import Signals
from devdns.sockets import ROLES, Sockets, theirs
from devdns.state_folder import Held, StateFolder

ROOT = "hosts"  # the part that does not give up root: it writes a file of the system's
GRACE = 10.0  # seconds for a child to drain before it is killed
START_BOUND = 15.0
FILES = 65_536
READY = b"R"
MOST_SAID = 500  # characters of what a child asked for, in one line
HELD = 75  # EX_TEMPFAIL of sysexits.h: to whoever waits for a detached start, another devdns was quicker


class Supervisor:
    """Runs until told to stop; `run` returns the exit code."""

    def __init__(self, plan: Plan, environ: Mapping[str, str], out: TextIO) -> None:
        self._plan = plan
        self._out = out
        self._environ = {key: value for key, value in environ.items() if key not in OURS}
        self._handed = handed(environ)
        self._selector = selectors.DefaultSelector()
        self._children: list[Child] = []
        self._sockets = Sockets()
        self._watch = BridgeWatch(self._say)
        if self._watch.socket is not None:
            self._selector.register(self._watch.socket, selectors.EVENT_READ, self._watch)
        self._stops = 0
        self._homeless = False
        self._started = time.monotonic()
        self._announced = False
        self._exit = 0

    def run(self) -> int:
        os.chdir(self._plan.state_dir)
        self._folder = StateFolder(self._environ)
        raise_file_limit()
        self._signals = Signals()
        self._selector.register(self._signals.socket, selectors.EVENT_READ, self._signals)
        try:
            self._bind()
            self._start_all()
            while not self._stops and not self._exit:
                self._turn()
        finally:
            self._shutdown()
            self._folder.release()
        if self._announced:
            self._say("stopped")
        return self._exit

    def _bind(self) -> None:
        self._sockets.open(self._plan.listeners, self._handed)
        self._sockets.control = self._folder.bind()
        if self._folder.user is not None:
            self._environ["DEVDNS_RUN_AS"] = "{}:{}".format(*self._folder.user)
        self._environ["DEVDNS_LISTENING"] = json.dumps(self._sockets.bound)
        self._environ["DEVDNS_INSTANCE"] = uuid.uuid4().hex
        if self._watch.socket is not None:
            self._sockets.on_bridges(self._watch.look())
        self._say_notes()

    def _start_all(self) -> None:
        given = self._sockets.proxies(self._plan.workers)
        proxies = [Child(f"proxy-{number}", each) for number, each in enumerate(given, 1)]
        control, resolver = Child("control", self._sockets.control), Child("resolver", self._sockets.resolver())
        self._children = [control, resolver, *proxies]
        if self._folder.keeps_hosts():
            self._children.append(Child(ROOT, []))
        for child in self._children:
            self._start(child)

    def _start(self, child: Child) -> None:
        environ = {key: value for key, value in self._environ.items() if child.name != ROOT or key != "DEVDNS_RUN_AS"}
        if child.part == "control":
            environ["DEVDNS_DOORS"] = json.dumps(self._sockets.raw_told())
        elif child.part == "proxy":
            environ.update(configured(environ))
        line = child.start(environ, self._sockets.later(child.part))
        self._selector.register(line, selectors.EVENT_READ, child)
        self._record()

    def _start_again(self, child: Child) -> None:
        if os.stat(".").st_nlink == 0:  # noqa: PTH116 - one number; Python itself does not start in a folder that is gone
            if not self._homeless:
                self._say(f"the state folder is gone, so {child.name} stays away: kill {os.getpid()}, then devdns up")
            self._homeless, child.due = True, time.monotonic() + MAX_DELAY
            return
        try:
            self._start(child)
        except OSError as error:  # no memory or no processes left now: the next try may do better
            child.due = time.monotonic() + MAX_DELAY
            self._say(f"{child.name} cannot be started: {error.strerror}; trying again in {MAX_DELAY:.0f} s")

    def _turn(self) -> None:
        """Waits for a signal, a word of a child or the next start that is due, and acts on it."""
        for key, _ in self._selector.select(self._patience()):
            self._heed(key.data)
        if self._watch.due and self._watch.due <= time.monotonic():
            self._mind_bridges()
        self._reap()
        for child in self._children:
            if child.due and child.due <= time.monotonic():
                self._start_again(child)
        if not self._announced and time.monotonic() - self._started > START_BOUND:
            slow = ", ".join(child.name for child in self._children if child.state != "running")
            self._say(f"{slow} did not get ready within {START_BOUND:.0f} s")
            self._exit = 1

    def _patience(self) -> float | None:
        """Seconds until something is due; None when nothing is."""
        due = [child.due for child in self._children if child.due]
        if not self._announced:
            due.append(self._started + START_BOUND)
        if self._watch.due:
            due.append(self._watch.due)
        return max(0.0, min(due) - time.monotonic()) if due else None

    def _heed(self, who: Child | BridgeWatch | Signals) -> None:
        if isinstance(who, Child):
            self._hear(who)
        elif isinstance(who, BridgeWatch):
            who.stir()
        else:
            self._stops += who.ends()

    def _mind_bridges(self) -> None:
        """Opens and closes listeners as bridges came and went, and tells the children."""
        opened, closed = self._sockets.on_bridges(self._watch.look())
        for child in self._children:
            if child.part in ROLES and ((given := theirs(child.part, opened)) or closed):
                child.hand_over(given, closed)
        self._say_notes()
        if opened or closed:
            self._record()

    def _mind_raw_doors(self, child: Child, asked: bytes) -> None:
        """Opens and closes doors of raw TCP as control wants them, and tells who is concerned."""
        try:
            opened, closed = self._sockets.raw(read(asked))
        except DoorsRefused as error:
            self._say(f"{child.name} asks for what it is not given: {str(error)[:MOST_SAID]}")
            return
        for each in self._children:
            if each.part == "proxy" and (opened or closed):
                each.hand_over(opened, closed)
        child.tell({"open": [], "close": [], "doors": self._sockets.raw_told()})

    def _hear(self, child: Child) -> None:
        """A child says that it is ready, control which doors it wants, or the other end of the line closed."""
        if (lines := child.hear()) is None:
            self._hang_up(child)
            return
        for line in lines:
            if line == READY:
                child.state = "running"
                self._record()
                self._announce()
            elif child.part == "control" and not self._stops:
                self._mind_raw_doors(child, line)

    def _announce(self) -> None:
        if self._announced or any(child.state != "running" for child in self._children):
            return
        self._announced = True
        where = "  ".join(
            f"{role} {' '.join(show(each) for each in addresses)}"
            for role, addresses in self._sockets.bound.items()
            if addresses
        )
        self._say(f"ready  {where}")

    def _reap(self) -> None:
        for child in self._children:
            if child.process is not None and (code := child.process.poll()) is not None:
                self._buried(child, code)

    def _buried(self, child: Child, code: int) -> None:
        """Decides when a dead child starts again: at once, or with a growing delay when it keeps dying early."""
        self._hang_up(child)
        child.process = None
        if self._stops:
            child.state = "stopped"
            return
        if not self._announced and child.state == "starting" and code > 0:
            self._exit = code  # it told why; a start that cannot work is not repeated
            return
        lived = child.start_later()
        self._say(f"{child.name} ended ({outcome(code)}) after {lived:.1f} s; starting it again")
        self._record()

    def _hang_up(self, child: Child) -> None:
        if child.line is not None:
            self._selector.unregister(child.line)
        child.hang_up()

    def _shutdown(self) -> None:
        """Proxies drain first, while names still resolve; then the rest. A second signal, or the grace, kills."""
        self._stops = max(self._stops, 1)
        self._record()
        if self._watch.socket is not None:
            self._selector.unregister(self._watch.socket)
            self._watch.close()
        self._sockets.close_to_traffic()
        self._stop([child for child in self._children if child.part == "proxy"])
        self._stop(self._children)
        self._sockets.close()

    def _stop(self, children: list[Child]) -> None:
        self._stops = max(self._stops, 1)
        for child in children:
            child.stop()
        until = time.monotonic() + GRACE
        while any(child.process is not None for child in children):
            if self._stops > 1 or time.monotonic() > until:
                for child in children:
                    child.stop(kill=True)
            for key, _ in self._selector.select(0.2):
                self._heed(key.data)
            self._reap()

    def _record(self) -> None:
        """Writes `supervisor.json`, whole or not at all."""
        body = {
            "pid": os.getpid(),
            "stopping": self._stops > 0,
            "listeners": self._sockets.addresses(),
            "processes": [child.fares() for child in self._children],
        }
        self._folder.record(json.dumps(body))

    def _say_notes(self) -> None:
        for note in self._sockets.notes:
            self._say(note)
        self._sockets.notes.clear()

    def _say(self, line: str) -> None:
        with contextlib.suppress(OSError):  # a terminal that is gone stops nothing
            print(readable(line), file=self._out, flush=True)


def readable(line: str) -> str:
    """The line with everything escaped that drives a terminal or cannot be written: others named their links."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in line)


def raise_file_limit() -> None:
    """The soft limit is made for select(2); the children take thousands of connections, and none uses that call."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def main(environ: Mapping[str, str]) -> int:
    """Runs the plan in `DEVDNS_PLAN`; returns the exit code."""
    plan = Plan.parse(environ["DEVDNS_PLAN"])
    try:
        return Supervisor(plan, environ, sys.stdout).run()
    except Held:
        return HELD if plan.detached else attach(plan, environ)
    except DevdnsError as error:
        code, line = error.exit_code, str(error)
    except OSError as error:
        code, line = 1, f"{error.filename or 'the system'}: {error.strerror or error}"
    with contextlib.suppress(OSError):
        print(f"devdns: {line}", file=sys.stderr, flush=True)  # noqa: T201 - the one line for the person
    return code


if __name__ == "__main__":
    sys.exit(main(os.environ))
