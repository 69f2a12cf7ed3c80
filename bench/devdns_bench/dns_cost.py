"""What a DNS query costs: CPU microseconds and queries per second of our resolver, dnsmasq and unbound, interleaved in one run.

    python -m devdns_bench.dns_cost --rounds 5 --seconds 5 --load plain

Each server answers the same names with 127.0.0.1 on one core, dnsperf asks from another; CPU is utime + stime of the server's
process from /proc. Linux only. What is missing is named and left out. The whole `devdns up` runs, its resolver is measured.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from devdns_bench.ports import free_port

ZONE = "dev.test"
NAMES = 200
START = 20.0
SERVER_CORE, LOAD_CORE = 0, 1
TICK = os.sysconf("SC_CLK_TCK")
#: What dnsperf adds to each query: nothing, or an OPT with a client's cookie as dig sends it.
LOADS = {"plain": (), "cookie": ("-E", "10:0123456789abcdef"), "case": ()}


class Contender(NamedTuple):
    """A running server: its process and port, and what it says it is."""

    name: str
    version: str
    pid: int
    port: int


class Cost(NamedTuple):
    """One measured stretch of load."""

    cpu_us: float
    per_second: float
    lost: int


@contextlib.contextmanager
def ours(where: Path, routes: int) -> Iterator[Contender]:
    """`devdns up` with `routes` routes in its file; the process measured is its resolver."""
    port, state = free_port(), where / "state"
    lines = [f"  n{number}: {1024 + number % 60000}" for number in range(routes)]
    config = where / "devdns.yml"
    config.write_text("\n".join(["docker: {enabled: false}", "mdns: {enabled: false}", "routes:", *lines, ""]))
    listeners = ("--dns", f"127.0.0.1:{port}", "--http", f"127.0.0.1:{free_port()}", "--https", "off")
    command = (sys.executable, "-m", "devdns.cli.main", "up", "-c", str(config), "--state-dir", str(state), *listeners)
    with started(command, where / "devdns.log", port):
        processes = json.loads((state / "supervisor.json").read_text())["processes"]
        pid = next(process["pid"] for process in processes if process["name"] == "resolver")
        yield Contender("devdns", said(sys.executable, "-m", "devdns.cli.main", "--version"), pid, port)


@contextlib.contextmanager
def dnsmasq(where: Path, routes: int) -> Iterator[Contender]:  # noqa: ARG001 - it answers a whole domain by one line
    """Dnsmasq with the zone as one `address` line."""
    port, config = free_port(), where / "dnsmasq.conf"
    config.write_text(
        f"port={port}\nlisten-address=127.0.0.1\nbind-interfaces\nno-resolv\nno-hosts\nuser=\npid-file=\n"
        f"address=/{ZONE}/127.0.0.1\nlocal-ttl=1\n"
    )
    with started(("dnsmasq", "-k", "-C", str(config)), where / "dnsmasq.log", port) as pid:
        yield Contender("dnsmasq", said("dnsmasq", "-v"), pid, port)


@contextlib.contextmanager
def unbound(where: Path, routes: int) -> Iterator[Contender]:  # noqa: ARG001 - it answers a whole domain by one line
    """Unbound with the zone as a redirect, one thread."""
    port, config = free_port(), where / "unbound.conf"
    config.write_text(
        f'server:\n interface: 127.0.0.1@{port}\n num-threads: 1\n do-daemonize: no\n use-syslog: no\n username: ""\n'
        f' chroot: ""\n directory: "{where}"\n pidfile: ""\n local-zone: "{ZONE}." redirect\n'
        f' local-data: "{ZONE}. 1 IN A 127.0.0.1"\nremote-control:\n control-enable: no\n'
    )
    with started(("unbound", "-d", "-c", str(config)), where / "unbound.log", port) as pid:
        yield Contender("unbound", said("unbound", "-V"), pid, port)


SERVERS: dict[str, Callable[[Path, int], contextlib.AbstractContextManager[Contender]]] = {
    "devdns": ours,
    "dnsmasq": dnsmasq,
    "unbound": unbound,
}


def said(*command: str) -> str:
    """The first line with a number in it that a program prints about itself."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own fixed commands
    return next((line.strip() for line in (done.stdout + done.stderr).splitlines() if re.search(r"\d", line)), "?")


@contextlib.contextmanager
def started(command: tuple[str, ...], log: Path, port: int) -> Iterator[int]:
    """Runs a server until it answers, then the block, then ends it by its process id."""
    with log.open("wb") as output, subprocess.Popen(command, stdout=output, stderr=output) as process:  # noqa: S603 - as above
        try:
            deadline = time.monotonic() + START
            while not answers(port):
                if process.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit(f"{command[0]} does not answer on port {port}:\n{log.read_text()}")
            yield process.pid
        finally:
            process.terminate()


def answers(port: int) -> bool:
    """Whether a server answers there within 100 ms."""
    query = bytes.fromhex("123401000001000000000000") + b"\2n1\3dev\4test\0\0\1\0\1"
    with socket.socket(type=socket.SOCK_DGRAM) as client:
        client.settimeout(0.1)
        client.connect(("127.0.0.1", port))
        try:
            client.send(query)
            return client.recv(512)[3] & 15 == 0
        except ConnectionRefusedError:
            time.sleep(0.1)
        except TimeoutError:
            pass
        return False


def questions(where: Path, load: str, seed: int) -> Path:
    """The file dnsperf reads: 200 names, in random spellings for `case`."""
    rng, path = random.Random(seed), where / "questions"  # noqa: S311 - a repeatable load, no secret
    names = [f"n{number}.{ZONE}" for number in range(NAMES)] * (100 if load == "case" else 1)
    if load == "case":
        names = ["".join(rng.choice((letter.upper(), letter)) for letter in name) for name in names]
    path.write_text("".join(f"{name} A\n" for name in names))
    return path


def cpu(pid: int) -> float:
    """Seconds of CPU a process has used, in user and system mode."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def measure(contender: Contender, asked: Path, load: str, seconds: int) -> Cost:
    """One stretch of dnsperf: 8 clients, at most 100 queries on the way."""
    limits = ("-l", str(seconds), "-c", "8", "-q", "100", *LOADS[load])
    command = (
        "taskset",
        "-c",
        str(LOAD_CORE),
        "dnsperf",
        "-s",
        "127.0.0.1",
        "-p",
        str(contender.port),
        "-d",
        str(asked),
        *limits,
    )
    before = cpu(contender.pid)
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 - as above
    used = cpu(contender.pid) - before
    found = {
        key: float(value) for key, value in re.findall(r"Queries (completed|lost|per second):\s+([\d.]+)", done.stdout)
    }
    return Cost(used / found["completed"] * 1e6, found["per second"], int(found["lost"]))


def available(names: list[str]) -> Iterator[str]:
    """Those that are installed; says which are left out."""
    for name in names:
        if name == "devdns" or shutil.which(name):
            yield name
        else:
            say(f"{name}: left out, not installed")


def run(options: argparse.Namespace) -> None:
    """Starts every contender, loads them in turn, prints rows as they come and the medians at the end."""
    costs: dict[str, list[Cost]] = {}
    with tempfile.TemporaryDirectory(prefix="dns-cost-") as folder, contextlib.ExitStack() as servers:
        where = Path(folder)
        asked = questions(where, options.load, options.seed)
        contenders = []
        for name in available(options.servers.split(",")):
            contenders.append(servers.enter_context(SERVERS[name](where, options.routes)))
            os.sched_setaffinity(contenders[-1].pid, {SERVER_CORE})
            say(f"{name}: {contenders[-1].version}")
        for number in range(options.rounds):
            for contender in contenders:
                cost = measure(contender, asked, options.load, options.seconds)
                costs.setdefault(contender.name, []).append(cost)
                say(
                    f"round {number + 1}  {contender.name:8} {cost.cpu_us:7.2f} us {cost.per_second:9.0f}/s  lost {cost.lost}"
                )
    summary(costs, options)


def summary(costs: dict[str, list[Cost]], options: argparse.Namespace) -> None:
    """Medians over the rounds, and each contender's CPU as a multiple of ours."""
    say(
        f"medians of {options.rounds} rounds of {options.seconds} s, load {options.load}, {options.routes} routes, dnsperf {said('dnsperf', '-h')}"
    )
    ours_us = statistics.median(cost.cpu_us for cost in costs["devdns"])
    for name, rounds in costs.items():
        us, rate = (
            statistics.median(values)
            for values in zip(*((cost.cpu_us, cost.per_second) for cost in rounds), strict=True)
        )
        say(f"{name:8} {us:7.2f} us {rate:9.0f}/s   devdns costs {ours_us / us:.2f} x this")


def say(line: str) -> None:
    """One line of output, at once."""
    print(line, flush=True)  # noqa: T201 - the script's output


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m devdns_bench.dns_cost", description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--load", choices=LOADS, default="plain")
    parser.add_argument("--routes", type=int, default=NAMES)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--servers", default=",".join(SERVERS), help="which, in this order; devdns is one of them")
    run(parser.parse_args())


if __name__ == "__main__":
    main()
