"""What HTTP/2 over TLS costs in our proxy beside portless: interleaved, pinned to one core, the load and the service on another.

`python -m devdns_bench.h2_cost [--seconds S] [--repeats N] [--connections C] [--streams M]` prints for each contender CPU microseconds per
request (utime + stime from /proc), requests per second, those that failed, and the ratios of the medians to portless's. Root, because
portless writes the hosts file: it gets one of its own in a mount namespace.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from statistics import median

from msgspec import Struct

from devdns_bench.http_contenders import Contender, started, version_of
from devdns_bench.http_cost import service as behind
from devdns_bench.http_loads import MODES
from devdns_bench.http_request import HOST
from devdns_bench.ports import free_port

TOOLS = ("h2load", "nginx", "openssl", "taskset", "unshare", "node", "portless")
COUNT = re.compile(r"([0-9]+) (failed|errored|timeout|2xx|3xx|4xx|5xx)")
HOSTS = "mount --bind {folder}/hosts /etc/hosts && exec portless proxy start --foreground --port {port} --tld test --cert {cert} --key {key}"


class Reading(Struct, frozen=True):
    """One slice of load: CPU microseconds per request, requests per second, and those without an answer."""

    cost: float
    rate: float
    failed: int


def certificate(folder: Path) -> tuple[Path, Path]:
    """A key and a certificate for `HOST`."""
    cert, key = folder / "cert.pem", folder / "key.pem"
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2")
    names = ("-subj", f"/CN={HOST}", "-addext", f"subjectAltName=DNS:{HOST}")
    command = ("openssl", "req", "-x509", *curve, *names, "-keyout", str(key), "-out", str(cert))
    subprocess.run(command, check=True, capture_output=True)  # noqa: S603 # our own command line
    return cert, key


def contenders(stack: ExitStack, folder: Path, arguments: argparse.Namespace) -> list[Contender]:
    """Both of them before one service."""
    cert, key = certificate(folder)
    service, ours, theirs = behind(stack, folder, arguments.load_core, MODES[0]), free_port(), free_port()
    python = (sys.executable, "-m")
    core = arguments.proxy_core
    own = (*python, "devdns_bench.h2_service", str(ours), str(service), str(cert), str(key))
    every = [
        Contender("devdns", f"python {sys.version.split()[0]}", ours, stack.enter_context(started(core, ours, *own)))
    ]
    (folder / "hosts").write_text("127.0.0.1 localhost\n")
    os.environ["HOME"] = str(folder)  # where portless keeps its state
    line = HOSTS.format(folder=folder, port=theirs, cert=cert, key=key)
    pid = stack.enter_context(started(core, theirs, "unshare", "-m", "sh", "-c", line))
    name = HOST.removesuffix(".test")
    alias = (
        "unshare",
        "-m",
        "sh",
        "-c",
        f"mount --bind {folder}/hosts /etc/hosts && portless alias {name} {service} --force",
    )
    subprocess.run(alias, check=True, capture_output=True)  # noqa: S603 # our own command line
    return [*every, Contender("portless", version_of("portless", "--version"), theirs, pid)]


def measure(contender: Contender, arguments: argparse.Namespace) -> Reading:
    """One slice."""
    load = ("h2load", "-D", str(arguments.seconds), "-c", str(arguments.connections), "-m", str(arguments.streams))
    url = f"https://127.0.0.1:{contender.port}/body"
    before = contender.cpu()
    command = ("taskset", "-c", str(arguments.load_core), *load, "-H", f":authority: {HOST}", url)
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603 # our own command line
    spent, found = contender.cpu() - before, {name: int(number) for number, name in COUNT.findall(told)}
    answered = found.pop("2xx", 0)
    if not answered:
        raise SystemExit(f"{contender.name} answered nothing:\n{told}")
    return Reading(spent / answered * 1e6, answered / arguments.seconds, sum(found.values()))


def report(readings: dict[str, tuple[Contender, list[Reading]]]) -> str:
    """A line per contender."""
    base = readings["portless"][1]
    cost, rate = median(each.cost for each in base), median(each.rate for each in base)
    lines = []
    for contender, told in readings.values():
        costs, rates = [each.cost for each in told], [each.rate for each in told]
        line = f"{contender.name:10} {median(costs):8.2f} us/request ({min(costs):.2f} to {max(costs):.2f}) {median(costs) / cost:6.3f} x"
        line += f"  {median(rates):8.0f}/s {median(rates) / rate:6.3f} x  {sum(each.failed for each in told)} failed"
        lines.append(f"{line}  {contender.version}")
    return "\n".join(lines)


def options() -> argparse.Namespace:
    """What to measure, and how long."""
    parser = argparse.ArgumentParser(prog="devdns_bench.h2_cost", description=__doc__)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--streams", type=int, default=10)
    parser.add_argument("--proxy-core", type=int, default=0)
    parser.add_argument("--load-core", type=int, default=1)
    return parser.parse_args()


def main() -> None:
    """Measures, or says what is missing."""
    arguments = options()
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing:
        raise SystemExit(
            f"missing: {', '.join(missing)} - apt-get install nghttp2-client nginx-light openssl util-linux; npm install portless node@24"
        )
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        Path(name).chmod(0o755)  # nginx's worker is another user when it is started as root
        every = contenders(stack, Path(name), arguments)
        readings: dict[str, tuple[Contender, list[Reading]]] = {each.name: (each, []) for each in every}
        for _ in range(arguments.repeats):
            for contender, told in readings.values():
                told.append(measure(contender, arguments))
    sys.stdout.write(report(readings) + "\n")


if __name__ == "__main__":
    main()
