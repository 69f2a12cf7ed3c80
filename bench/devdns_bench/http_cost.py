"""What our proxy costs beside nginx and what else is in PATH: interleaved, pinned to one core, the load and the service on another.

`python -m devdns_bench.http_cost [MODE ...] [--seconds S] [--repeats N] [--connections C] [--routes N]` prints for each mode (plain by default)
and contender CPU microseconds per unit (utime + stime from /proc), units per second, how far memory grew, p99 where the rate is fixed, and the
ratio of the medians to nginx's. Where other programs run meanwhile, the ratios still hold, the times do not.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from statistics import median

from devdns_bench import http_peers
from devdns_bench.http_contenders import Contender, contenders, started
from devdns_bench.http_loads import MODES, Mode, Reading, Settings, measure
from devdns_bench.ports import free_port

YARDSTICK = "nginx"


def service(stack: ExitStack, folder: Path, core: int, mode: Mode) -> int:
    """Starts the service behind all contenders; returns its port."""
    port = free_port()
    if mode.files:
        (folder / "root").mkdir()
        (folder / "root" / "body").write_bytes(b"x" * mode.size)
        config = folder / "service.conf"
        config.write_text(http_peers.SERVICE.format(folder=folder, port=port))
        command: tuple[str, ...] = ("nginx", "-c", str(config))
    else:
        command = (sys.executable, "-m", "devdns_bench.http_service", "streams", str(port))
    stack.enter_context(started(core, port, *command))
    return port


def compared(mode: Mode, arguments: argparse.Namespace) -> dict[str, tuple[Contender, list[Reading]]]:
    """The readings of every contender, in turns."""
    settings = Settings(arguments.seconds, arguments.connections, arguments.load_core)
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        folder.chmod(0o755)  # nginx's worker is another user when it is started as root
        behind = service(stack, folder, arguments.load_core, mode)
        every = contenders(stack, folder, behind, arguments.proxy_core, arguments.routes)
        every = [each for each in every if each.secure or not mode.tls]
        readings: dict[str, tuple[Contender, list[Reading]]] = {each.name: (each, []) for each in every}
        for _ in range(arguments.repeats):
            for contender, told in readings.values():
                told.append(measure(contender, mode, settings, folder))
        return readings


def report(mode: Mode, readings: dict[str, tuple[Contender, list[Reading]]]) -> str:
    """A line per contender: medians, the range of the costs, and the ratio to nginx."""
    base = median(each.cost for each in readings[YARDSTICK][1]) if YARDSTICK in readings else 0.0
    lines = [f"{mode.name}:"]
    for contender, told in readings.values():
        costs = [each.cost for each in told]
        line = f"  {contender.name:22} {median(costs):9.2f} us/{mode.unit} ({min(costs):.2f} to {max(costs):.2f})"
        if base:
            line += f"  {median(costs) / base:6.3f} x {YARDSTICK}"
        line += f"  {median(each.rate for each in told):8.0f}/s  +{max(each.growth for each in told):.1f} MB"
        if mode.rate:
            line += f"  p99 {median(each.late for each in told):.2f} ms"
        lines.append(f"{line}  {contender.version}")
    return "\n".join(lines)


def options() -> argparse.Namespace:
    """What to measure, and how long."""
    names = [mode.name for mode in MODES]
    parser = argparse.ArgumentParser(prog="devdns_bench.http_cost", description=__doc__)
    parser.add_argument("modes", nargs="*", metavar="MODE", help=f"{', '.join(names)} or all")
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--routes", type=int, default=0, help="measure ours again with so many routes")
    parser.add_argument("--proxy-core", type=int, default=0)
    parser.add_argument("--load-core", type=int, default=1)
    arguments = parser.parse_args()
    wanted = set(arguments.modes or ["plain"])
    if unknown := wanted - {*names, "all"}:
        parser.error(f"no such mode: {', '.join(sorted(unknown))}")
    arguments.modes = [mode for mode in MODES if mode.name in wanted or "all" in wanted]
    return arguments


def main() -> None:
    """Measures, or says what is missing."""
    arguments = options()
    missing = [tool for tool in ("wrk", "nginx", "taskset", "openssl") if shutil.which(tool) is None]
    if missing:
        raise SystemExit(f"missing: {', '.join(missing)} - apt-get install wrk nginx-light util-linux openssl")
    for peer in http_peers.PEERS:
        if shutil.which(peer.program) is None:
            sys.stdout.write(f"{peer.name} is not in PATH and takes no part\n")
    for mode in arguments.modes:
        sys.stdout.write(report(mode, compared(mode, arguments)) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
