"""What names cost: latency by phases, throughput and CPU of requests, bytes and WebSocket messages, and of DNS queries.

The services are processes on the machine, so that no approach pays for Docker's port publishing. The approach's servers run on
one core, the load and the service on the others; CPU is utime + stime of all its processes.
"""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Awaitable, Callable
from typing import ClassVar

from devdns_bench import timing, websocket
from devdns_bench.approaches.base import ZONE, Approach
from devdns_bench.probe_wire import Place
from devdns_bench.rooms import INSIDE
from devdns_bench.scenarios.base import Cell, Figure, Result, Scenario
from devdns_bench.scenarios.scene import Scene
from devdns_bench.stack import Service, services
from devdns_bench.user import ran

SECONDS = 3
BYTES = {"small": 64, "large": 1 << 20}
SERVICE = """worker_processes 1; pid {folder}/service.pid; error_log {folder}/service.log; daemon off; user root;
events {{ worker_connections 1024; }}
http {{ access_log off; keepalive_requests 1000000000; client_body_temp_path {folder}/sb; proxy_temp_path {folder}/sp;
  fastcgi_temp_path {folder}/sf; uwsgi_temp_path {folder}/su; scgi_temp_path {folder}/ss;
  server {{ listen 127.0.0.1:{port}; default_type text/plain; root {folder}/www; location / {{ try_files /$arg_size /small =404; }} }} }}
"""


class Latency(Scenario):
    """Open loop at 200 requests a second."""

    name: ClassVar[str] = "latency"
    title: ClassVar[str] = "Latency of a request by name"
    question: ClassVar[str] = (
        "Where the time of a request goes, half on new connections and half on kept ones, at 200 a second."
    )
    figures: ClassVar[tuple[Figure, ...]] = (
        Figure("name_p50", "name resolution, median", "s", "log"),
        Figure("connect_p50", "connect, median", "s", "log"),
        Figure("first_p50", "first byte, median", "s", "log"),
        Figure("new_p50", "whole request on a new connection, median", "s", "log"),
        Figure("new_p99", "whole request on a new connection, p99", "s", "log"),
        Figure("kept_p50", "whole request on a kept connection, median", "s", "log"),
        Figure("kept_p99", "whole request on a kept connection, p99", "s", "log"),
        Figure("failed", "requests that failed", "requests"),
    )
    containers: ClassVar[bool] = False
    pinned: ClassVar[bool] = True
    RATE: ClassVar[float] = 200.0

    async def run(self, scene: Scene, cell: Cell) -> Result:  # noqa: ARG002 - one cell
        (service,) = await prepared(scene, services(1, container=False))
        host, port = scene.approach.address(service)
        field = (await scene.place(service)).host
        phases = await timing.timed(lambda: (host, port, field), self.RATE, 4.0)
        scene.requests = [*phases]
        return Result(timing.figures(phases), steps=[*scene.site.user.steps])


class Throughput(Scenario):
    """Closed loop, as much as goes."""

    name: ClassVar[str] = "throughput"
    title: ClassVar[str] = "Throughput, and CPU for each request, byte and message"
    question: ClassVar[str] = (
        "How much goes through, and what CPU the approach spends on it. What has no proxy spends none."
    )
    figures: ClassVar[tuple[Figure, ...]] = (
        Figure("rate", "requests, MiB or messages a second", "1/s", "log", better="higher"),
        Figure("cpu", "CPU of the approach for each of them", "µs", "log"),
    )
    cells: ClassVar[tuple[Cell, ...]] = ({"load": "requests"}, {"load": "bytes"}, {"load": "websocket"})
    containers: ClassVar[bool] = False
    pinned: ClassVar[bool] = True
    programs: ClassVar[tuple[str, ...]] = ("wrk", "nginx")

    async def run(self, scene: Scene, cell: Cell) -> Result:
        (service,) = services(1, container=False)
        served = _websocket(service) if cell["load"] == "websocket" else _nginx(scene, service)
        await prepared(scene, [service], served)
        place = await scene.place(service)
        loads: dict[str, Callable[[], Awaitable[float]]] = {
            "requests": lambda: asyncio.to_thread(_wrk, place.host, service, place.port, "small"),
            "bytes": lambda: asyncio.to_thread(_wrk, place.host, service, place.port, "large"),
            "websocket": lambda: _messages(place),
        }
        before = scene.site.cpu()
        count = await loads[str(cell["load"])]()
        spent = scene.site.cpu() - before
        cpu = spent / count * 1e6 if scene.approach.proxies else None
        return Result({"rate": count / SECONDS, "cpu": cpu}, steps=[*scene.site.user.steps])


class Dns(Scenario):
    """As many queries as go, dnsperf asking."""

    name: ClassVar[str] = "dns"
    title: ClassVar[str] = "DNS queries, and CPU for each"
    question: ClassVar[str] = (
        "How many queries for 200 names of the zone are answered in a second, and what CPU each costs."
    )
    figures: ClassVar[tuple[Figure, ...]] = (
        Figure("rate", "queries a second", "1/s", "log", better="higher"),
        Figure("cpu", "CPU for each query", "µs", "log"),
        Figure("lost", "queries without a reply", "queries"),
    )
    containers: ClassVar[bool] = False
    pinned: ClassVar[bool] = True
    programs: ClassVar[tuple[str, ...]] = ("dnsperf",)

    def why_not(self, approach: type[Approach], cell: Cell) -> str:  # noqa: ARG002 - one cell
        return "" if approach.resolver else "it brings no DNS server"

    async def run(self, scene: Scene, cell: Cell) -> Result:  # noqa: ARG002 - one cell
        await prepared(scene, services(1, container=False))
        ip, port = scene.approach.resolver or ("", 0)
        questions = INSIDE / "questions"
        questions.write_text("".join(f"n{number}.{ZONE} A\n" for number in range(200)))
        load = ("-l", str(SECONDS), "-c", "8", "-q", "100", "-d", str(questions))
        before = scene.site.cpu()
        said = await asyncio.to_thread(ran, ("dnsperf", "-s", ip, "-p", str(port), *load), INSIDE)
        spent = scene.site.cpu() - before
        found = {
            key: float(value) for key, value in re.findall(r"Queries (completed|lost|per second):\s+([\d.]+)", said)
        }
        cpu = spent / found["completed"] * 1e6
        return Result({"rate": found["per second"], "cpu": cpu, "lost": found["lost"]})


async def prepared(scene: Scene, every: list[Service], serve: list[str] | None = None) -> list[Service]:
    """The approach, and the services as processes (`serve`: another server than the backend), answering."""
    await asyncio.to_thread(scene.approach.prepare, every)
    for service in every:
        await asyncio.to_thread(scene.stack.up, service, "", *(serve or []))
    await (scene.settle(every) if serve is None else scene.opened(every))
    return every


def _nginx(scene: Scene, service: Service) -> list[str]:
    folder, config = INSIDE, INSIDE / "service.conf"
    (folder / "www").mkdir()
    for name, size in BYTES.items():
        (folder / "www" / name).write_bytes(b"x" * size)
    config.write_text(SERVICE.format(folder=folder, port=service.port))
    return [scene.site.tools["nginx"], "-c", str(config)]


def _websocket(service: Service) -> list[str]:
    return [sys.executable, "-m", websocket.__name__, "--port", str(service.port)]


def _wrk(host: str, service: Service, port: int, size: str) -> float:
    """Requests answered in `SECONDS`, or MiB."""
    url = f"http://{host.partition(':')[0]}:{port}/{service.name}?size={size}"
    connections = "32" if size == "small" else "8"
    said = ran(("wrk", "-t1", f"-c{connections}", f"-d{SECONDS}s", url), INSIDE)
    found = re.search(r"(\d+) requests in", said)
    if not found or "Non-2xx" in said or "Socket errors" in said:
        raise ValueError(f"the load did not go through: {said}")
    return float(found[1])


async def _messages(place: Place) -> float:
    return float(await websocket.load(place, seconds=SECONDS))
