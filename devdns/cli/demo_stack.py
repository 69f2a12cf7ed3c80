"""The stack of the demonstration: a folder of its own, a routes file, sample services and a real supervisor; all of it goes at the end."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from devdns.cli.client import Client
from devdns.cli.launch import children_environ, launch
from devdns.cli.plan import plan
from devdns.cli.settings import NAME, read_settings
from devdns.cli.state import LOG, record
from devdns.core.errors import DevdnsError
from devdns.demo.exchange import own_get
from devdns.demo.heir import Heir
from devdns.demo.samples import Sample
from devdns.ports import holder

ZONE = "dev.test"
SERVICES = ("shop", "api", "docs")
DNS_CANDIDATES = (("127.0.0.1", 5300), ("127.0.0.1", 0))
HTTP_CANDIDATES = (("127.0.0.1", 8080), ("127.0.0.1", 0))
STOP_SECONDS = 15.0
MOVE_SECONDS = 5.0
HEAD = "docker: {enabled: false}\nmdns: {enabled: false}\nroutes:\n"


@dataclass(frozen=True)
class Move:
    """A service went from one port to another: the old and new one, how long the name took, requests sent and lost."""

    old: int
    new: int
    seconds: float
    requests: int
    lost: int


class DemoStack:
    """A context manager: inside it the stack runs. Raises `DevdnsError` when it does not get ready."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="devdns-demo-"))
        self.samples: dict[str, Sample] = {}
        self.dns = self.http = ("127.0.0.1", 0)
        self._supervisor: subprocess.Popen[bytes] | None = None
        self._ending = contextlib.ExitStack()

    def __enter__(self) -> DemoStack:
        try:
            self.samples = {name: Sample(name) for name in SERVICES}
            self._write_routes()
            self._start()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ending.close()
        self._stop()
        for sample in self.samples.values():
            sample.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def client(self) -> Client:
        return Client(self.folder)

    def evasions(self) -> Iterator[str]:
        """Why a port is not the usual one."""
        for (host, usual), (_, port) in ((DNS_CANDIDATES[0], self.dns), (HTTP_CANDIDATES[0], self.http)):
            if port != usual:
                taken_by = holder(host, usual, "tcp") or holder(host, usual, "udp") or "another program"
                yield f"port {usual} is taken by {taken_by}, so it is {port} this time"

    def hasten(self) -> None:
        """Ends the stack at once; may be called at any time."""
        if self._supervisor is not None:
            self._supervisor.kill()

    def wait(self) -> int:
        """Returns when the supervisor ends by itself, with its exit code."""
        return self._supervisor.wait() if self._supervisor else 0

    def move(self, name: str) -> Move:
        """Starts the service anew on another port, edits the routes file, and asks by name until the new one answers."""
        old, new = self.samples[name], Sample(name)
        self.samples[name] = new
        self._write_routes()
        requests = lost = 0
        began = time.monotonic()
        while time.monotonic() - began < MOVE_SECONDS:
            answer = own_get(f"{name}.{ZONE}", self.http)
            requests += 1
            lost += answer not in (old.page, new.page)
            if answer == new.page:
                break
        seconds = time.monotonic() - began
        old.close()
        return Move(old.port, new.port, seconds, requests, lost)

    def _write_routes(self) -> None:
        """Whole or not at all, as an editor does."""
        fresh = self.folder / f".{NAME}"
        fresh.write_text(HEAD + "".join(f"  {name}: {sample.port}\n" for name, sample in self.samples.items()))
        fresh.replace(self.folder / NAME)

    def _start(self) -> None:
        environ = {key: value for key, value in os.environ.items() if not key.startswith("DEVDNS_")}
        path = self.folder / NAME
        settings, _ = read_settings(path, environ)
        # The parts run in this folder: by its bare name they find the file wherever the folder is, without root's rights.
        wanted = plan(settings, state_dir=self.folder, config_path=Path(NAME), platform=sys.platform)
        wanted["listeners"] = [
            {"role": "dns", "candidates": DNS_CANDIDATES, "optional": False},
            {"role": "http", "candidates": HTTP_CANDIDATES, "optional": False},
        ]
        heard: list[str] = []
        self._supervisor, code = launch(children_environ(environ, settings, wanted), self.folder / LOG, heard.append)
        if code is not None:
            raise DevdnsError("the stack of the demo did not start: " + (heard[-1] if heard else f"exit code {code}"))
        self._ending.enter_context(Heir(self._supervisor.pid, self.folder))
        listening: Mapping[str, list[list[str]]] = record(self.folder)["listeners"]
        self.dns, self.http = (  # the first ones: those of container bridges stand behind them
            (str(host), int(port)) for host, port in (listening[key][0] for key in ("dns", "http"))
        )

    def _stop(self) -> None:
        if self._supervisor is None:
            return
        self._supervisor.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._supervisor.wait(STOP_SECONDS)
        self._supervisor.kill()
        self._supervisor.wait()
