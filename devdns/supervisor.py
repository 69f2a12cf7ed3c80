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
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, TextIO

from devdns import bridges, links
from devdns.core.errors import DevdnsError
from devdns.doors import Doors, Named, role_of
from devdns.handed import VARIABLES, handed
from devdns.listeners import Listeners, Wanted, open_listeners, show
from devdns.openssl import configured
from devdns.raw_doors import DoorsRefused, RawDoors, read
from devdns.state_folder import Held, StateFolder

ROLES = {"resolver": ("dns",), "proxy": ("http", "https")}  # whose sockets a part is given
ROOT = "hosts"  # the part that does not give up root: it writes a file of the system's
GRACE = 10.0  # seconds for a child to drain before it is killed
QUICK_DEATH = 1.0  # a child that lived shorter than this is restarted with a growing delay
MAX_DELAY = 5.0
START_BOUND = 15.0
FILES = 65_536
READY = b"R"
WORD = 1 << 17  # bytes of the longest word of a child: all places of raw TCP there can be
MOST_SAID = 500  # characters of what a child asked for, in one line
BATCH = 100  # sockets handed over at once; the kernel takes 253
HELD = 75  # EX_TEMPFAIL of sysexits.h: to whoever waits for a detached start, another devdns was quicker
#: Variables that we set for the children; whatever stood there before means nothing.
OURS = frozenset(
    {
        f"DEVDNS_{word}"
        for word in ["PLAN", "SOCKETS", "DOORS", "SUPERVISOR", "STANDALONE", "RUN_AS", "SNAPSHOTS", "LEAVES", "WEB"]
    }
).union(VARIABLES)
SETTLE = 0.05  # a bridge that comes up changes several times
LINE = socket.SOCK_SEQPACKET if sys.platform == "linux" else socket.SOCK_STREAM


@dataclass(frozen=True)
class Plan:
    """What to run, as `devdns up` decided it; arrives as JSON in `DEVDNS_PLAN`."""

    state_dir: Path
    listeners: tuple[Wanted, ...]
    workers: int = 1
    config: str | None = None
    detached: bool = False

    @classmethod
    def parse(cls, text: str) -> Plan:
        row = json.loads(text)
        wanted = tuple(Wanted.parse(each) for each in row["listeners"])
        workers, config = int(row.get("workers", 1)), row.get("config")
        return cls(Path(row["state_dir"]), wanted, workers, config, bool(row.get("detached")))


@dataclass
class Child:
    """One process: what it is given, and how it fares. `due` is when it is to be started again, 0 while it runs."""

    name: str
    sockets: list[Named]
    process: subprocess.Popen[bytes] | None = None
    line: socket.socket | None = None
    state: str = "starting"
    since: float = 0.0
    restarts: int = 0
    quick_deaths: int = 0
    due: float = 0.0
    words: bytes = b""

    @property
    def part(self) -> str:
        return self.name.partition("-")[0]


class Supervisor:
    """Runs until told to stop; `run` returns the exit code."""

    def __init__(self, plan: Plan, environ: Mapping[str, str], out: TextIO) -> None:
        self._plan = plan
        self._out = out
        self._environ = {key: value for key, value in environ.items() if key not in OURS}
        self._handed = handed(environ)
        self._selector = selectors.DefaultSelector()
        self._children: list[Child] = []
        self._listeners = Listeners()
        self._doors = Doors({})
        self._raw = RawDoors({})
        self._changes: socket.socket | None = None
        self._look_at = 0.0
        self._bridges: frozenset[bridges.Bridge] = frozenset()
        self._unix: list[tuple[str, socket.socket]] = []
        self._stops = 0
        self._homeless = False
        self._started = time.monotonic()
        self._announced = False
        self._exit = 0

    def run(self) -> int:
        os.chdir(self._plan.state_dir)
        self._folder = StateFolder(self._environ)
        raise_file_limit()
        self._watch_signals()
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
        self._listeners = open_listeners(self._plan.listeners, self._handed)
        self._unix = self._folder.bind()
        if self._folder.user is not None:
            self._environ["DEVDNS_RUN_AS"] = "{}:{}".format(*self._folder.user)
        self._environ["DEVDNS_LISTENING"] = json.dumps(self._listeners.addresses)
        self._environ["DEVDNS_INSTANCE"] = uuid.uuid4().hex
        self._doors = Doors(self._listeners.addresses)
        self._raw = RawDoors(self._listeners.addresses)
        self._changes = links.changes()
        if self._changes is not None:
            self._selector.register(self._changes, selectors.EVENT_READ)
            self._doors.reconcile(self._look())
        for note in (*self._listeners.told(), *self._doors.notes):
            self._say(note)
        self._doors.notes.clear()

    def _start_all(self) -> None:
        dns = [each for each in self._listeners.sockets if each[0].startswith("dns")]
        http = self._listeners.spread(ROLES["proxy"], self._plan.workers)
        proxies = [Child(f"proxy-{number}", each) for number, each in enumerate(http, 1)]
        self._children = [Child("control", self._unix), Child("resolver", dns), *proxies]
        if self._folder.keeps_hosts():
            self._children.append(Child(ROOT, []))
        for child in self._children:
            self._start(child)

    def _start(self, child: Child) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, LINE)
        sockets = [*child.sockets, *self._doors.named(*ROLES.get(child.part, ()))]
        sockets += self._raw.sockets() if child.part == "proxy" else []
        known = {"DEVDNS_DOORS": json.dumps(self._raw.told())} if child.part == "control" else {}
        fds = [sock.fileno() for _, sock in sockets]
        named = ",".join(f"{name}={sock.fileno()}" for name, sock in sockets)
        environ = {key: value for key, value in self._environ.items() if child.name != ROOT or key != "DEVDNS_RUN_AS"}
        more = configured(self._environ) if child.part == "proxy" else {}
        with theirs:
            child.process = subprocess.Popen(  # noqa: S603 - our own interpreter and module, no shell
                [sys.executable, "-P", "-m", "devdns.process.child", child.part],
                env={**environ, **known, **more, "DEVDNS_SOCKETS": named, "DEVDNS_SUPERVISOR": str(theirs.fileno())},
                pass_fds=[*fds, theirs.fileno()],
                stdin=subprocess.DEVNULL,
                process_group=0,  # a Ctrl-C in the terminal is ours to turn into an orderly stop
            )
        ours.setblocking(False)
        self._selector.register(ours, selectors.EVENT_READ, child)
        child.line, child.state, child.since, child.due = ours, "starting", time.monotonic(), 0.0
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
        now = time.monotonic()
        due = [child.due - now for child in self._children if child.due]
        if not self._announced:
            due.append(self._started + START_BOUND - now)
        if self._look_at:
            due.append(self._look_at - now)
        for key, _ in self._selector.select(max(0.0, min(due)) if due else None):
            if isinstance(key.data, Child):
                self._hear(key.data)
            elif key.fileobj is self._changes:
                links.drain(self._changes)
                self._look_at = self._look_at or time.monotonic() + SETTLE
            else:
                self._read_signals()
        if self._look_at and self._look_at <= time.monotonic():
            self._mind_bridges()
        self._reap()
        for child in self._children:
            if child.due and child.due <= time.monotonic():
                self._start_again(child)
        if not self._announced and time.monotonic() - self._started > START_BOUND:
            slow = ", ".join(child.name for child in self._children if child.state != "running")
            self._say(f"{slow} did not get ready within {START_BOUND:.0f} s")
            self._exit = 1

    def _look(self) -> frozenset[bridges.Bridge]:
        """The bridges there are; those there were when the look fails, since nothing that others call their links may stop us."""
        try:
            self._bridges = bridges.bridges()
        except Exception as error:  # noqa: BLE001 - the edge to whatever a system makes of its links
            self._say(f"the bridges of this machine cannot be looked at: {error!r}")
        return self._bridges

    def _mind_bridges(self) -> None:
        """Opens and closes listeners as bridges came and went, and tells the children."""
        self._look_at = 0.0
        opened, closed = self._doors.reconcile(self._look())
        for child in self._children:
            roles = ROLES.get(child.part, ())
            theirs = [each for each in opened if role_of(each) in roles]
            if roles and (theirs or closed):
                _hand_over(child, theirs, closed)
        for note in self._doors.notes:
            self._say(note)
        self._doors.notes.clear()
        if opened or closed:
            self._record()

    def _mind_raw_doors(self, child: Child, asked: bytes) -> None:
        """Opens and closes doors of raw TCP as control wants them, and tells who is concerned."""
        try:
            opened, closed = self._raw.reconcile(read(asked))
        except DoorsRefused as error:
            self._say(f"{child.name} asks for what it is not given: {str(error)[:MOST_SAID]}")
            return
        for each in self._children:
            if each.part == "proxy" and (opened or closed):
                _hand_over(each, opened, closed)
        if child.line is not None:
            word = {"open": [], "close": [], "doors": self._raw.told()}
            with contextlib.suppress(OSError):  # it is ending; the next one is told at its start
                child.line.send(json.dumps(word).encode() + b"\n")

    def _hear(self, child: Child) -> None:
        """A child says that it is ready, control which doors it wants, or the other end of the line closed."""
        try:
            word = child.line.recv(WORD) if child.line else b""
        except OSError:
            word = b""
        if not word:
            self._hang_up(child)
            return
        *lines, child.words = (child.words + word).split(b"\n")
        for line in lines:
            if line == READY:
                child.state = "running"
                self._record()
                self._announce()
            elif child.part == "control" and not self._stops:
                self._mind_raw_doors(child, line)
        child.words = child.words[-WORD:]

    def _announce(self) -> None:
        if self._announced or any(child.state != "running" for child in self._children):
            return
        self._announced = True
        where = "  ".join(
            f"{role} {' '.join(show(each) for each in addresses)}"
            for role, addresses in self._listeners.addresses.items()
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
        lived = time.monotonic() - child.since
        child.quick_deaths = child.quick_deaths + 1 if lived < QUICK_DEATH else 0
        delay = min(MAX_DELAY, 0.1 * 2 ** (child.quick_deaths - 1)) if child.quick_deaths > 1 else 0.0
        child.restarts += 1
        child.state, child.due = "restarting", time.monotonic() + delay
        self._say(f"{child.name} ended ({outcome(code)}) after {lived:.1f} s; starting it again")
        self._record()

    def _hang_up(self, child: Child) -> None:
        child.words = b""
        if child.line is not None:
            self._selector.unregister(child.line)
            child.line.close()
            child.line = None

    def _shutdown(self) -> None:
        """Proxies drain first, while names still resolve; then the rest. A second signal, or the grace, kills."""
        self._stops = max(self._stops, 1)
        self._record()
        if self._changes is not None:
            self._selector.unregister(self._changes)
            self._changes.close()
        self._doors.close()
        self._raw.close()
        for sock in self._listeners.named(*ROLES["proxy"]):
            sock.close()
        self._stop([child for child in self._children if child.part == "proxy"])
        self._stop(self._children)
        self._listeners.close()
        for _, sock in self._unix:
            sock.close()

    def _stop(self, children: list[Child]) -> None:
        self._stops = max(self._stops, 1)
        for child in children:
            if child.process is not None:
                child.process.terminate()
        until = time.monotonic() + GRACE
        while any(child.process is not None for child in children):
            if self._stops > 1 or time.monotonic() > until:
                for child in children:
                    if child.process is not None:
                        child.process.kill()
                        child.process.wait()
            for key, _ in self._selector.select(0.2):
                if isinstance(key.data, Child):
                    self._hear(key.data)
                else:
                    self._read_signals()
            self._reap()

    def _watch_signals(self) -> None:
        self._signals, writer = socket.socketpair()
        self._signals.setblocking(False)
        writer.setblocking(False)
        self._writer = writer
        signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
        ignored = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN  # nohup: the end of the terminal is not ours
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD, *(() if ignored else (signal.SIGHUP,))):
            signal.signal(number, lambda *_: None)
        self._selector.register(self._signals, selectors.EVENT_READ)

    def _read_signals(self) -> None:
        with contextlib.suppress(BlockingIOError):
            received = self._signals.recv(64)
            self._stops += sum(number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP) for number in received)

    def _record(self) -> None:
        """Writes `supervisor.json`, whole or not at all."""
        processes = [
            {
                "name": child.name,
                "pid": child.process.pid if child.process else None,
                "state": child.state,
                "restarts": child.restarts,
                "since": time.time() - (time.monotonic() - child.since),
            }
            for child in self._children
        ]
        body = {
            "pid": os.getpid(),
            "stopping": self._stops > 0,
            "listeners": {
                role: [*each, *self._doors.addresses(role)] for role, each in self._listeners.addresses.items()
            },
            "processes": processes,
        }
        self._folder.record(json.dumps(body))

    def _say(self, line: str) -> None:
        with contextlib.suppress(OSError):  # a terminal that is gone stops nothing
            print(readable(line), file=self._out, flush=True)


def _hand_over(child: Child, opened: list[Named], closed: list[str]) -> None:
    """Gives a child listeners, and tells it of those that are closed; one that is ending misses it, and the next is given all there are."""
    if child.line is None:
        return
    for start in range(0, max(len(opened), 1), BATCH):
        part = opened[start : start + BATCH]
        word = {"open": [name for name, _ in part], "close": [] if start else closed}
        with contextlib.suppress(OSError):
            socket.send_fds(child.line, [json.dumps(word).encode() + b"\n"], [sock.fileno() for _, sock in part])


def readable(line: str) -> str:
    """The line with everything escaped that drives a terminal or cannot be written: others named their links."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in line)


def raise_file_limit() -> None:
    """The soft limit is made for select(2); the children take thousands of connections, and none uses that call."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def outcome(code: int) -> str:
    """A child's exit code in words."""
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


def attach(plan: Plan, environ: Mapping[str, str]) -> NoReturn:
    """Another `devdns up` was quicker: begins anew as the command, which gives our file to that one."""
    config = ("-c", plan.config) if plan.config else ()
    command = (sys.executable, "-P", "-m", "devdns.cli.main", "up", "--state-dir", str(plan.state_dir), *config)
    os.execve(sys.executable, command, {key: value for key, value in environ.items() if key not in OURS})  # noqa: S606 - no shell


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
