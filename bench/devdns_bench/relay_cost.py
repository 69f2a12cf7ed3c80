"""What relaying raw TCP costs beside HAProxy: interleaved, pinned to one core, the load and the service on another.

`python -m devdns_bench.relay_cost [--seconds S] [--repeats N]` prints for each load (bytes down, bytes up, messages of 1 KiB to and fro) and
relay CPU microseconds per MB or message (utime + stime from /proc), and the ratio of the medians to HAProxy's.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import socket
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from statistics import median

import uvloop

from devdns.core.config import Config
from devdns.core.frames import Hello, TableView
from devdns.core.routes import RAW, Route, RouteTable, Target
from devdns_bench.http_contenders import Contender, started, version_of
from devdns_bench.http_loads import MODES, Mode, Reading, Settings, measure
from devdns_bench.ports import free_port
from devdns_proxy.server import Proxy

HERE = "127.0.0.1"
LOADS = tuple(mode for mode in MODES if mode.name in ("download", "upload", "websocket"))
#: As it is shipped, but for one thread, which is what ours has.
HAPROXY = """
global
  nbthread 1
  maxconn 1000
defaults
  mode tcp
  timeout connect 5s
  timeout client 1h
  timeout server 1h
listen relay
  bind 127.0.0.1:{port}
  server service 127.0.0.1:{service}
"""


async def relay(port: int, service: int) -> None:
    """Runs our relay alone for ever."""
    route = Route(host="db.dev.test", port=port, address=HERE, targets=(Target(HERE, service, RAW),), source="manual")
    running = Proxy(TableView(Hello(1, "bench", Config()), RouteTable([route])), "web.sock")
    await running.start([])
    listening = socket.create_server((HERE, port))
    listening.setblocking(False)
    await running.open_raw([listening], "bench")
    await asyncio.Event().wait()


def relays(stack: ExitStack, folder: Path, service: int, core: int) -> list[Contender]:
    """Starts both before `service`."""
    ours, port = free_port(), free_port()
    config = folder / "haproxy.cfg"
    config.write_text(HAPROXY.format(port=port, service=service))
    command = (sys.executable, "-m", "devdns_bench.relay_cost", "--relay", str(ours), str(service))
    version = version_of("haproxy", "-v")
    return [
        Contender(
            "devdns", f"python {sys.version.split()[0]}", ours, stack.enter_context(started(core, ours, *command))
        ),
        Contender("haproxy", version, port, stack.enter_context(started(core, port, "haproxy", "-f", str(config)))),
    ]


def compared(load: Mode, arguments: argparse.Namespace) -> dict[str, list[Reading]]:
    """The readings of both, in turns."""
    settings = Settings(arguments.seconds, arguments.connections, arguments.load_core)
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder, behind = Path(name), free_port()
        command = (sys.executable, "-m", "devdns_bench.http_service", "streams", str(behind))
        stack.enter_context(started(arguments.load_core, behind, *command))
        every = relays(stack, folder, behind, arguments.core)
        readings: dict[str, list[Reading]] = {f"{each.name} ({each.version})": [] for each in every}
        for _ in range(arguments.repeats):
            for each, told in zip(every, readings.values(), strict=True):
                told.append(measure(each, load, settings, folder))
        return readings


def report(load: Mode, readings: dict[str, list[Reading]]) -> str:
    """A line per relay: the median, the range, and the ratio to HAProxy's."""
    base = median(each.cost for name, told in readings.items() if name.startswith("haproxy") for each in told)
    lines = [f"{load.name}:"]
    for name, told in readings.items():
        costs = [each.cost for each in told]
        rate = median(each.rate for each in told)
        spread = f"({min(costs):.2f} to {max(costs):.2f})"
        lines.append(
            f"  {name:24} {median(costs):9.2f} us/{load.unit} {spread}  {median(costs) / base:6.3f} x haproxy  {rate:8.0f}/s"
        )
    return "\n".join(lines)


def options() -> argparse.Namespace:
    """How long to measure, and where."""
    parser = argparse.ArgumentParser(prog="devdns_bench.relay_cost", description=__doc__)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--core", type=int, default=0)
    parser.add_argument("--load-core", type=int, default=1)
    parser.add_argument("--relay", nargs=2, type=int, metavar=("PORT", "SERVICE"), help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    """Measures, or says what is missing; with `--relay` it is one of those that are measured."""
    arguments = options()
    if arguments.relay:
        uvloop.run(relay(*arguments.relay))
    missing = [tool for tool in ("haproxy", "taskset") if shutil.which(tool) is None]
    if missing:
        raise SystemExit(f"missing: {', '.join(missing)} - apt-get install haproxy util-linux")
    for load in LOADS:
        sys.stdout.write(report(load, compared(load, arguments)) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
