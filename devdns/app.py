"""The composition root: the whole stack as a parts list, in one process and one loop (`devdns up --in-process`).

The supervisor starts the same parts as processes of their own; here they share a loop, for tests and debugging, and still
speak through the same sockets.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from devdns.core.settings import Config
from devdns.listeners import Wanted, bind_unix, open_listeners, show
from devdns.process import logs
from devdns.process.child import loop_factory, run, serve
from devdns.process.inherit import Inherited
from devdns.process.parts import ControlPart, Indoors, Part, ProxyPart, ResolverPart
from devdns.supervisor import UNIX_SOCKETS, hold_lock, write_whole


class Stack(Indoors):
    """All parts in one: started in order, stopped in reverse."""

    groups: tuple[int, ...] = ()

    def __init__(self, environ: Mapping[str, str], inherited: Inherited) -> None:
        self._parts: list[Part] = [
            ControlPart(environ, inherited),
            ResolverPart(environ, inherited),
            ProxyPart(environ, inherited),
        ]
        self._inherited = inherited

    async def start(self) -> None:
        for part in self._parts:
            await part.start()
        listening = self._inherited.listening
        where = "  ".join(f"{role} {' '.join(map(show, listening[role]))}" for role in listening if listening[role])
        print(f"ready  {where}", flush=True)  # noqa: T201 - the word the command promises

    async def stop(self) -> None:
        for part in reversed(self._parts):
            await part.stop()


def run_in_process(config: Config, config_path: str | None, plan: Mapping[str, Any]) -> int:
    """Runs the stack until a signal; returns the exit code. Raises `DevdnsError` when an address is not to be had."""
    logs.configure("devdns", debug=bool(plan.get("debug")))
    os.chdir(plan["state_dir"])
    with hold_lock():
        opened = open_listeners(Wanted.parse(row) for row in plan["listeners"])
        for note in opened.notes:
            print(note)  # noqa: T201 - for the person at the terminal
        sockets = [*opened.sockets, *((name, bind_unix(f"{name}.sock")) for name in UNIX_SOCKETS)]
        body = {"pid": os.getpid(), "listeners": opened.addresses, "processes": []}
        write_whole(Path("supervisor.json"), json.dumps(body))
        environ = {"DEVDNS_SETTINGS": config_json(config), **({"DEVDNS_CONFIG": config_path} if config_path else {})}
        try:
            run(serve(Stack(environ, Inherited(sockets, opened.addresses)), None), loop_factory())
        finally:
            opened.close()
            for name in ("supervisor.json", *(f"{each}.sock" for each in UNIX_SOCKETS)):
                Path(name).unlink(missing_ok=True)
    return 0


def config_json(config: Config) -> str:
    """Settings as the children read them from `DEVDNS_SETTINGS`."""
    return msgspec.json.encode(config).decode()
