"""The connection to one Docker Engine, by the docker library: its blocking calls in threads, its event stream in one of its own.

Only GETs: version, info, events, containers. Foreign exceptions end here, as `EngineLost`.
"""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http import HTTPStatus
from typing import Any, TypeVar

import docker
import requests
import urllib3
from docker.errors import APIError, DockerException
from docker.tls import TLSConfig
from msgspec import Struct

from devdns.core.sources import Refusal
from devdns.providers.docker_container import Container, ContainerRefused, Ground, parse
from devdns.providers.docker_events import Event, parse_event
from devdns.providers.docker_hosts import Endpoint, EngineLost
from devdns.providers.docker_lost import LET_THROUGH, lost, said

TIMEOUT = 10
THREADS = 4
ROOTLESS = "name=rootless"
VIRTUAL = ("Docker Desktop",)

#: What the library lets through. ValueError: an answer that is not JSON.
FOREIGN = (DockerException, requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError)

T = TypeVar("T")
Summary = Mapping[str, Any]


class Met(Struct, frozen=True):
    """What an engine said of itself: which API it speaks, and whether containers' own addresses mean anything here."""

    endpoint: Endpoint
    version: str
    ground: Ground


class Engine:
    """A Docker Engine that answers and is listened to. `heard` gets each event of a container that concerns us.

    Both callbacks run in the event loop; `ended` comes once, when the event stream ends by itself, and says why.
    `met`: what one said of itself there before. It is believed at first, because to be told takes longer than all the rest.
    """

    def __init__(
        self,
        at: Endpoint,
        heard: Callable[[Event], None],
        ended: Callable[[EngineLost], None],
        met: Met | None = None,
    ) -> None:
        self.endpoint = at
        self.met = met if met is not None and met.endpoint == at else None
        self._heard = heard
        self._ended = ended
        self._loop = asyncio.get_running_loop()
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="docker")
        self._client: docker.APIClient | None = None
        self._stream: Any = None
        self._closed = False
        self._over: EngineLost | None = None

    @property
    def ground(self) -> Ground:
        """Of its machine."""
        return self.met.ground if self.met else Ground(self.endpoint.machine, self.endpoint.is_here)

    async def connect(self) -> None:
        """Subscribes to events; what is listed after this misses nothing. Raises `EngineLost`."""
        believed = self.met
        await self._run(self._connect)
        if believed is not None:
            self._pool.submit(self._meet_again, believed)

    async def summaries(self) -> list[Summary]:
        """All containers, also those that ended, in short. Raises `EngineLost`."""
        return await self._run(lambda: self._open().containers(all=True))

    async def inspect(self, name: str) -> Container | Refusal | None:
        """One container; None when it is gone, a refusal when the engine will not say. Raises `EngineLost`."""
        return await self._run(lambda: self._inspect(name))

    def close(self) -> None:
        """Ends the threads; nothing is heard after this."""
        self._closed = True
        if self._stream is not None:
            _cut(self._stream)
        threading.Thread(target=self._leave, name="docker leave", daemon=True).start()

    def _leave(self) -> None:
        """Closes the connections once the last call is back from them: the library would leave open what is in use."""
        self._pool.shutdown(cancel_futures=True)
        if self._client is not None:
            self._client.close()

    async def _run(self, call: Callable[[], T]) -> T:
        try:
            return await self._loop.run_in_executor(self._pool, call)
        except FOREIGN as error:
            raise lost(error, self.endpoint) from None

    def _open(self) -> docker.APIClient:
        if self._over is not None:
            raise self._over
        if self._client is None:
            raise EngineLost(f"{self.endpoint.url} is not connected")
        return self._client

    def _connect(self) -> None:
        if self.endpoint.socket:  # first by hand: it says more, and the library leaks a socket that it cannot connect
            with socket.socket(socket.AF_UNIX) as probe:
                probe.settimeout(TIMEOUT)
                probe.connect(self.endpoint.socket)
        version = self.met.version if self.met else "auto"
        client = self._client = docker.APIClient(self.endpoint.url, version, TIMEOUT, tls=_tls(self.endpoint))
        client.trust_env = not self.endpoint.socket  # looking for proxies costs a third of each call
        if self.met is None:
            self.met = self._meet(client)
        # One second back: the engine sends its headers an instant before it subscribes us.
        stream: Any = client.events(since=int(time.time()) - 1, filters={"type": ["container", "network"]}, decode=True)
        self._stream = stream
        response = stream._response  # noqa: SLF001 # the stream swallows a refusal, and leaves its socket open
        if response.status_code != HTTPStatus.OK:
            response.close()
            self.met = None
            raise EngineLost(
                f"Docker at {self.endpoint.url} refuses its events: HTTP {response.status_code}", LET_THROUGH
            )
        threading.Thread(target=self._listen, args=(stream, response), name="docker events", daemon=True).start()
        if self._closed:
            _cut(stream)

    def _meet(self, client: docker.APIClient) -> Met:
        ground = self.ground
        with suppress(DockerException):  # a filter may hide it, and nothing depends on it
            ground = _ground(self.endpoint, client.info())
        return Met(self.endpoint, client.api_version, ground)

    def _meet_again(self, believed: Met) -> None:
        """Whether it is still what it was, in a thread of its own; another one is connected to anew."""
        with suppress(*FOREIGN, EngineLost):
            client = self._open()
            if _ground(self.endpoint, client.info()) != believed.ground:
                self.met = None
                self._tell(self._ended, EngineLost(f"another engine answers at {self.endpoint.url}"))

    def _listen(self, stream: Any, response: requests.Response) -> None:
        """Runs in its own thread until the stream ends or is cut."""
        why = EngineLost(
            f"Docker at {self.endpoint.url} went away", "its last routes stay; it is asked for again every second"
        )
        try:
            for event in stream:
                concerns = parse_event(event)
                if concerns is not None:
                    self._tell(self._heard, concerns)
        except FOREIGN as error:
            why = lost(error, self.endpoint)
        self._over = why  # what is asked from here on would only leave a socket open that the library cannot connect
        response.close()
        self._tell(self._ended, why)

    def _tell(self, callback: Callable[[T], None], word: T) -> None:
        if not self._closed:
            with suppress(RuntimeError):  # the loop was closed without us
                self._loop.call_soon_threadsafe(callback, word)

    def _inspect(self, name: str) -> Container | Refusal | None:
        try:
            return parse(self._open().inspect_container(name))
        except APIError as error:
            return None if error.status_code == 404 else _refused(name, f"the Engine says: {said(error.explanation)}")
        except ContainerRefused as error:
            return _refused(name, error.message)


def _refused(name: str, reason: str) -> Refusal:
    return Refusal(f"container {name[:12]}", name[:12], reason, f"docker inspect {name[:12]} shows it whole")


def _cut(stream: Any) -> None:
    """Wakes the thread that reads the stream; one that has ended already has no socket to close."""
    with suppress(OSError, AttributeError):
        stream.close()


def _tls(at: Endpoint) -> TLSConfig | bool:
    if at.pem is None:
        return False
    ca, cert, key = at.pem
    return TLSConfig(client_cert=(cert, key), ca_cert=ca, verify=at.verify)


def _ground(at: Endpoint, info: Mapping[str, Any]) -> Ground:
    """Whether containers' own addresses can be this machine's: not in a virtual machine or without privileges.

    Podman has a word of its own for the latter.
    """
    rootless = ROOTLESS in (info.get("SecurityOptions") or []) or info.get("Rootless") is True
    return Ground(at.machine, at.is_here and not rootless and info.get("OperatingSystem") not in VIRTUAL)
