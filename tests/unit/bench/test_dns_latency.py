"""The prober itself: it sees a stall as those who ask meanwhile do, and counts what is never answered."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from devdns_bench.dns_cost import said
from devdns_bench.dns_latency import probe, query


@contextlib.contextmanager
def server(act: Callable[[int], bool]) -> Iterator[int]:
    """Echoes queries for which `act` (called with how many came before) is true."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))

        def echo() -> None:
            seen = 0
            while True:
                data, source = sock.recvfrom(512)
                if not data:
                    return
                if act(seen):
                    sock.sendto(data, source)
                seen += 1

        thread = threading.Thread(target=echo)
        thread.start()
        yield sock.getsockname()[1]
        sock.sendto(b"", sock.getsockname())
        thread.join()


def test_a_stall_counts_for_every_query_that_was_due_in_it() -> None:
    stalled = threading.Event()  # never set: the server is stuck until its time is over

    def stalls(seen: int) -> bool:
        if seen == 100:
            stalled.wait(0.25)
        return True

    with server(stalls) as port:
        found = probe(port, 500, 0.6)
    assert found.lost == 0
    assert 0.2 < found.p99 < 0.6


def test_what_is_not_answered_is_lost_and_took_a_second() -> None:
    with server(lambda seen: seen % 10 != 0) as port:
        found = probe(port, 500, 0.2)
    assert (found.lost, found.p99) == (10, pytest.approx(1.0))


def test_queries_ask_for_the_names_of_the_load() -> None:
    assert query(65_537) == b"\0\1\1\0\0\1\0\0\0\0\0\0\4n137\3dev\4test\0\0\1\0\1"


def test_a_version_is_a_line_with_a_number() -> None:
    assert said("printf", "A Tool\\nVersion 2.10\\n") == "Version 2.10"
