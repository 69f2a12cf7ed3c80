"""A scene that runs: its services and the approach's program are up, and the failure of its task has been made.

`Stage.set` makes a new scene, or goes on with the one in the folder as it was left: the participant's files are not touched,
and every service listens where it did. All calls block; the session makes them in a thread.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from devdns_study.errors import StudyRefused
from devdns_study.instrument import card
from devdns_study.sandbox import containers
from devdns_study.sandbox.guide import write_guide
from devdns_study.sandbox.leashed import PYTHON, Leashed, start, start_service
from devdns_study.sandbox.ports import TURN, free_port, held, listens, until
from devdns_study.sandbox.scene import Scene, Service, fresh, keep, kept
from devdns_study.sandbox.service import page
from devdns_study.sandbox.ways import HOST, WAYS

GRACE = 2.0  # seconds, the same with every approach
MOVED, CLAIMED, SILENT = "api", "shop", "docs"  # which service a task's failure meets


class Stage:
    """`close` ends every process of the scene and leaves the folder; `passed` is the check by machine."""

    def __init__(self, folder: Path, scene: Scene) -> None:
        self.folder, self.scene = folder, scene
        self.way = WAYS[scene.approach](folder, scene.front)
        self._running: dict[str, Leashed] = {}
        self._front: Leashed | None = None

    @classmethod
    def set(cls, folder: Path, approach: str, task: str, salt: str, image: str = containers.IMAGE) -> Stage:
        """Raises `StudyRefused` when something of the scene does not start; nothing of it is left running then."""
        old = kept(folder)
        if old is None:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
        stage = cls(folder, old or fresh(approach, task, salt, image))
        try:
            if old is None:
                stage._begin()
            else:
                stage._go_on()
        except BaseException:
            stage.close()
            raise
        return stage

    @property
    def environ(self) -> dict[str, str]:
        """What the participant's shell and the approach's program are given."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("DEVDNS_", "SUDO_"))}
        docker = "auto" if self._in_containers else "false"
        return {
            **kept,
            "DEVDNS_STATE_DIR": str(self.folder / "state"),
            "DEVDNS_CONFIG": str(self.folder / "devdns.yml"),
            "DEVDNS_DOCKER_ENABLED": docker,
            "DEVDNS_MDNS_ENABLED": "false",
        }

    def found(self) -> dict[str, str]:
        """What is reached under each name by the approach's own way."""
        return {name: self.way.reach(name) for name in self.scene.services}

    def passed(self, answer: str = "", grace: float = GRACE) -> bool:
        """Whether the task is done: the right cause was named, or all services are reached and are themselves.

        What was saved just before may take `grace` seconds to come into force.
        """
        if card(self.scene.task).question:
            return answer == self.scene.cause
        deadline = time.monotonic() + grace
        while not (done := self._whole()) and time.monotonic() < deadline:
            time.sleep(TURN)
        return done

    def _whole(self) -> bool:
        return self.found() == {name: page(name, service.nonce) for name, service in self.scene.services.items()}

    def close(self) -> None:
        """Ends what runs; the files stay as the participant left them."""
        for each in [self._front, *self._running.values()]:
            if each is not None:
                each.close()
        self._front = None
        self._running.clear()

    # -- setting up

    @property
    def _in_containers(self) -> bool:
        return card(self.scene.task).needs == "docker"

    def _begin(self) -> None:
        self._start_services()
        if self.scene.approach == "nginx":
            self.way.front = self.scene.front = free_port()
        self.way.wire(self._wired())
        self._start_front()
        if self.scene.task != "bring-up":
            until(self._whole, f"the scene of {self.scene.task}")
        FAILURES[self.scene.task](self)
        if not self._by_label:  # by a label the container is found again, which is what the task shows
            until(lambda: not self._whole(), f"the failure of {self.scene.task}")
        write_guide(self.folder, self.scene, self.environ)
        keep(self.scene, self.folder)

    def _go_on(self) -> None:
        self._start_services()
        self._start_front()

    def _wired(self) -> dict[str, int]:
        """What is set up before the failure: nothing where that is the task, labels instead of a file for containers."""
        return {} if self.scene.task == "bring-up" or self._by_label else self.scene.ports()

    @property
    def _by_label(self) -> bool:
        return self._in_containers and self.scene.approach == "devdns"

    def _start_services(self) -> None:
        if self._in_containers:
            self._start_containers()
            return
        for name, service in self.scene.services.items():
            if service.up:
                self._start_service(name, service)

    def _start_service(self, name: str, service: Service) -> None:
        running, service.port = start_service(self.folder, name, service.port, service.nonce, service.status)
        self._running[name] = running

    def _start_containers(self) -> None:
        names = [self.scene.container(name) for name in self.scene.services]
        last = containers.remove(*names)
        subprocess.run(last, capture_output=True, check=False, timeout=containers.SECONDS)  # noqa: S603 - left by a crash
        self._running["containers"] = start(self.folder, "containers", (), self.environ, last)
        for name in self.scene.services:
            self._start_container(name)

    def _start_container(self, name: str) -> None:
        scene, service = self.scene, self.scene.services[name]
        text, route = page(name, service.nonce), name if scene.approach == "devdns" else ""
        service.port = containers.run(scene.container(name), text, scene.image, port=service.port, route=route)

    def _start_front(self) -> None:
        if self.scene.approach == "nginx":
            (self.folder / "parts").mkdir(exist_ok=True)
            nginx = (shutil.which("nginx") or "nginx", "-p", str(self.folder), "-c", str(self.folder / "nginx.conf"))
            self._front = start(self.folder, "nginx", nginx, self.environ)
            until(lambda: listens(self.scene.front), "nginx")
        if self.scene.approach == "devdns":
            address = f"{HOST}:{self.scene.front}"
            up = (*PYTHON, "devdns.cli.main", "up", "--dns", f"{HOST}:0", "--http", address, "--https", "off")
            self._front = start(self.folder, "devdns", up, self.environ)
            self._front.first_line(b"ready")
            self.way.front = self.scene.front = self._devdns_port()

    def _devdns_port(self) -> int:
        try:
            record = json.loads((self.folder / "state" / "supervisor.json").read_bytes())
            return int(record["listeners"]["http"][0][1])
        except (OSError, ValueError, LookupError) as error:
            raise StudyRefused(f"devdns does not say where it listens: {error!r}") from None

    # -- failures

    def _none(self) -> None:
        """The task is to set up what is not there."""

    def _move(self) -> None:
        """The service comes up on another port; the old one is then free."""
        service, old = self.scene.services[MOVED], self._running[MOVED]
        service.port = 0
        self._start_service(MOVED, service)
        old.close()

    def _recreate(self) -> None:
        """The container goes; a new one has a port that Docker chooses."""
        old = self.scene.services[MOVED].port
        containers.docker(*containers.remove(self.scene.container(MOVED))[1:])
        with held(old):  # or Docker might choose the same port again
            self.scene.services[MOVED].port = 0
            self._start_container(MOVED)

    def _claim(self) -> None:
        """The name leads to another service, too, and that claim is the stronger one."""
        port = self.scene.services[SILENT].port
        if self.scene.approach == "devdns":
            words = (*PYTHON, "devdns.cli.main", "add", CLAIMED, str(port))
            done = subprocess.run(words, env=self.environ, capture_output=True, text=True, check=False, timeout=30)  # noqa: S603
            if done.returncode:
                raise StudyRefused(f"the clash cannot be made: {done.stderr.strip()}")
        else:
            self.way.wire(self.scene.ports(), (CLAIMED, port))
            self._reload()

    def _silence(self) -> None:
        """One of the causes for which a name does not answer."""
        service, cause = self.scene.services[SILENT], self.scene.cause
        ports = self.scene.ports()
        if cause in ("stopped", "failing"):
            self._running.pop(SILENT).close()
            service.up = cause == "failing"
            service.status = 500
        if cause == "failing":
            self._start_service(SILENT, service)
        if cause == "wrong-port":
            self.way.wire(ports | {SILENT: free_port()})
        if cause == "missing":
            self.way.wire({name: port for name, port in ports.items() if name != SILENT})
        self._reload()

    def _reload(self) -> None:
        """What a person would do after an edit, where the approach asks for it."""
        if self.scene.approach == "nginx":
            self.close_front()
            self._start_front()

    def close_front(self) -> None:
        """Ends the approach's own program."""
        if self._front is not None:
            self._front.close()
            self._front = None


#: Task -> how its failure is made.
FAILURES: dict[str, Callable[[Stage], None]] = {
    "bring-up": Stage._none,  # noqa: SLF001 - the table of this class
    "port-changed": Stage._move,  # noqa: SLF001
    "restarted": Stage._recreate,  # noqa: SLF001
    "clash": Stage._claim,  # noqa: SLF001
    "no-answer": Stage._silence,  # noqa: SLF001
}
