"""How long a DNS reply takes at a steady rate: p50, p99 and losses of our resolver, dnsmasq and unbound, interleaved in one run.

    python -m devdns_bench.dns_latency --rounds 10 --seconds 2 --rate 20000

Open loop: a query is sent when its time has come, whether or not the ones before were answered, and its latency counts from
that time; one without a reply within a second is lost, and counts as a second. Servers as in `dns_cost`.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import socket
import statistics
import tempfile
from pathlib import Path
from time import perf_counter
from typing import NamedTuple

from devdns_bench.dns_cost import LOAD_CORE, NAMES, SERVER_CORE, SERVERS, ZONE, available, say

PATIENCE = 1.0
#: Sends and receptions in turn, so that neither waits for the other while the prober is behind.
TURN = 16


class Latency(NamedTuple):
    """One stretch: seconds at the 50th and the 99th percentile, and the queries that got no reply."""

    p50: float
    p99: float
    lost: int


def query(number: int) -> bytes:
    """A query for one of the names; its ID tells it from the others on the way."""
    name = f"n{number % NAMES}"
    labels = b"".join(bytes([len(label)]) + label.encode() for label in (name, *ZONE.split(".")))
    return (number & 0xFFFF).to_bytes(2, "big") + b"\1\0\0\1\0\0\0\0\0\0" + labels + b"\0\0\1\0\1"


def probe(port: int, rate: float, seconds: float) -> Latency:
    """Asks `rate` times a second, spinning between: a sleeping prober would be late itself."""
    count = int(rate * seconds)
    queries = [query(number) for number in range(count)]
    took = [PATIENCE] * count
    sent = answered = 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        client.connect(("127.0.0.1", port))
        client.setblocking(False)
        began = perf_counter() + 0.01
        over = began + seconds + PATIENCE
        while answered < count and (now := perf_counter()) < over:
            due = min(count, int((now - began) * rate) + 1, sent + TURN)
            while sent < due:
                with contextlib.suppress(BlockingIOError, ConnectionRefusedError):
                    client.send(queries[sent])
                sent += 1
            with contextlib.suppress(BlockingIOError, ConnectionRefusedError):
                for _ in range(TURN):
                    ident = int.from_bytes(client.recv(512)[:2], "big")
                    number = ident + ((sent - 1 - ident) & ~0xFFFF)
                    took[number] = min(PATIENCE, perf_counter() - began - number / rate)
                    answered += 1
    cuts = statistics.quantiles(took, n=100)
    return Latency(cuts[49], cuts[98], sum(each == PATIENCE for each in took))


def run(options: argparse.Namespace) -> None:
    """Starts every contender, probes them in turn, prints rows as they come and the medians at the end."""
    seen: dict[str, list[Latency]] = {}
    os.sched_setaffinity(0, {LOAD_CORE})
    with tempfile.TemporaryDirectory(prefix="dns-latency-") as folder, contextlib.ExitStack() as servers:
        contenders = []
        for name in available(options.servers.split(",")):
            contenders.append(servers.enter_context(SERVERS[name](Path(folder), NAMES)))
            os.sched_setaffinity(contenders[-1].pid, {SERVER_CORE})
            say(f"{name}: {contenders[-1].version}")
        for number in range(options.rounds):
            for each in contenders:
                found = probe(each.port, options.rate, options.seconds)
                seen.setdefault(each.name, []).append(found)
                say(f"round {number + 1}  {each.name:8} {row(found)}")
    say(f"medians of {options.rounds} rounds of {options.seconds} s at {options.rate}/s, open loop")
    for name, rounds in seen.items():
        say(f"{name:8} {row(Latency(*map(statistics.median, zip(*rounds, strict=True))))}")


def row(latency: Latency) -> str:
    """One line of figures."""
    return f"p50 {latency.p50 * 1e3:7.3f} ms  p99 {latency.p99 * 1e3:7.3f} ms  lost {latency.lost:.0f}"


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m devdns_bench.dns_latency", description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--rate", type=int, default=20_000)
    parser.add_argument("--servers", default=",".join(SERVERS), help="which, in this order")
    run(parser.parse_args())


if __name__ == "__main__":
    main()
