"""The composition root: the whole stack as a parts list, in one process and one loop (`devdns up --in-process`).

The supervisor starts the same parts as processes of their own; here they share a loop, for tests and debugging, and still
speak through the same sockets.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import msgspec

from devdns.core.settings import Config
from devdns.handed import handed
from devdns.listeners import Address, Wanted, open_listeners, show
from devdns.process import logs, privileges
from devdns.process.child import loop_factory, run, serve
from devdns.process.inherit import Inherited
from devdns.process.parts import ControlPart, Indoors, Part, make
from devdns.raw_doors import RawDoors
from devdns.state_folder import StateFolder


class Stack(Indoors):
    """All parts in one: started in order, stopped in reverse."""

    def __init__(self, environ: Mapping[str, str], inherited: Inherited) -> None:
        control = ControlPart(environ, inherited)
        self._parts: list[Part] = [control, *(make(name, environ, inherited) for name in ("resolver", "proxy"))]
        self.groups: tuple[int, ...] | None = tuple(group for part in self._parts for group in part.groups or ())
        self._inherited = inherited
        self._raw = RawDoors(inherited.listening)
        self._opening: asyncio.Task[None] | None = None
        self._ready = False
        control.ask(self._open_doors)

    def _open_doors(self, wanted: list[Address]) -> None:
        """What the supervisor does elsewhere: binds the doors of raw TCP that control wants, and gives them to the proxy."""
        opened, closed = self._raw.reconcile(wanted)
        control, _, proxy = self._parts
        if self._ready:
            for place in closed:
                proxy.close(place)
            self._opening = asyncio.ensure_future(proxy.open(opened))
        control.told(self._raw.told())

    async def start(self) -> None:
        for part in self._parts:
            await part.start()
        await self._parts[-1].open(self._raw.sockets())
        self._ready = True
        listening = self._inherited.listening
        where = "  ".join(f"{role} {' '.join(map(show, listening[role]))}" for role in listening if listening[role])
        with suppress(OSError):  # who reads it may be gone
            print(f"ready  {where}", flush=True)  # noqa: T201 - the word the command promises

    async def stop(self) -> None:
        for part in reversed(self._parts):
            await part.stop()


def run_in_process(config: Config, config_path: str | None, plan: Mapping[str, Any]) -> int:
    """Runs the stack until a signal; returns the exit code. Raises `DevdnsError` when an address is not to be had."""
    logs.configure("devdns", debug=bool(plan.get("debug")))
    os.chdir(plan["state_dir"])
    folder = StateFolder(os.environ)
    try:
        opened = open_listeners((Wanted.parse(row) for row in plan["listeners"]), handed(os.environ))
        for note in opened.told():
            print(note)  # noqa: T201 - for the person at the terminal
        inherited = Inherited([*opened.sockets, *folder.bind()], opened.addresses)
        folder.record(json.dumps({"pid": os.getpid(), "listeners": opened.addresses, "processes": []}))
        environ = {"DEVDNS_SETTINGS": config_json(config), **({"DEVDNS_CONFIG": config_path} if config_path else {})}
        if folder.user is not None:
            environ["DEVDNS_RUN_AS"] = "{}:{}".format(*folder.user)
        stack, loops = Stack(environ, inherited), loop_factory()
        privileges.drop(environ, stack.groups)
        run(serve(stack, None), loops)
        opened.close()
    finally:
        folder.release()
    return 0


def config_json(config: Config) -> str:
    """Settings as the children read them from `DEVDNS_SETTINGS`."""
    return msgspec.json.encode(config).decode()
