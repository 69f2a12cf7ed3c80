"""Random and mutated packets over UDP and TCP for minutes: the resolver lives, answers between them, and grows no more."""

import contextlib
import os
import random
import select
import socket
import time
from pathlib import Path

import pytest
from support import dns_wire as wire
from support.stack import Stack

pytestmark = pytest.mark.evidence
SECONDS = float(os.environ.get("EVIDENCE_SECONDS", "600"))
BURST, PAUSE = 20, 0.002  # 10,000 packets a second at most
SAMPLE = 5.0
#: A tenth of the time is for filling what is bounded: kept replies, connections, the interpreter's own arenas.
WARM = 0.1
GROWTH = 4 << 20

SEEDS = [
    wire.query(),
    wire.query("api.dev.test", wire.TXT, wire.opt((10, bytes(8)))),
    wire.query("_http._tcp.api.dev.test", wire.SRV, wire.opt((10, bytes(24)), (12, bytes(64)))),
    wire.query("dev.test", wire.SOA),
    wire.query("example.com", wire.ANY),
    wire.header(ar=1) + wire.question("x" * 63 + ".dev.test", wire.HTTPS) + wire.opt(version=1),
    wire.header(qd=2) + wire.question() + b"\xc0\x0c" + wire.u16(1, 1),
]


def mutated(rng):
    """Random bytes, or a query with bytes changed, cut, doubled or added, and another name most times."""
    kind = rng.randrange(8)
    if kind == 0:
        return rng.randbytes(rng.randrange(1, 600))
    if kind == 1:
        return wire.query(f"n{rng.randrange(1 << 40)}.dev.test", rng.randrange(1, 300))
    data = bytearray(rng.choice(SEEDS))
    for _ in range(rng.randrange(6)):
        data[rng.randrange(len(data))] = rng.randrange(256)
    if kind == 2:
        del data[rng.randrange(1, len(data)) :]
    elif kind == 3:
        data += rng.randbytes(rng.randrange(1, 40))
    elif kind == 4:
        at = rng.randrange(len(data))
        data[at:at] = data[rng.randrange(len(data)) :]
    return bytes(data)


def resident(pid):
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def answers(address):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(3)
        client.connect(address)
        client.send(wire.query("still.here.dev.test"))
        return wire.rcode(client.recv(512)) == 0


def by_tcp(address, packets):
    """On one connection, whole or cut off, read or not."""
    with contextlib.suppress(OSError), socket.create_connection(address, 1) as client:
        client.sendall(b"".join(len(each).to_bytes(2, "big") + each for each in packets)[: -len(packets) % 7 or None])
        client.settimeout(0.01)
        client.recv(4096)


def test_the_resolver_outlives_any_packets_and_its_memory_is_flat(tmp_path):
    rng, sent, sizes = random.Random(int(time.time())), 0, []
    with Stack(tmp_path, "routes: {api: 5173}\n") as stack:
        address, pid = stack.dns, stack.pid("resolver")
        began = sampled = time.monotonic()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.connect(address)
            client.setblocking(False)
            while (now := time.monotonic()) - began < SECONDS:
                packets = [mutated(rng) for _ in range(BURST)]
                for each in packets:
                    with contextlib.suppress(OSError):
                        client.send(each)
                sent += BURST
                select.select([], [], [], PAUSE)
                with contextlib.suppress(BlockingIOError, ConnectionRefusedError):
                    while client.recv(4096):
                        pass
                if now - sampled >= SAMPLE:
                    sampled = now
                    by_tcp(address, packets)
                    assert answers(address)
                    sizes.append(resident(pid))
        assert stack.pid("resolver") == pid
        assert "query failed" not in stack.log()
    warm = sizes[int(len(sizes) * WARM) :]
    print(
        f"\n{sent} packets in {SECONDS:.0f} s; resident {warm[0] >> 10} KiB warm, {max(warm) >> 10} at most, {warm[-1] >> 10} at the end"
    )
    half = len(warm) // 2
    assert max(warm[half:]) - max(warm[:half]) < GROWTH
