"""Ports for foreign programs that cannot be told "port 0"."""

import contextlib
import random
import socket


def free_port(host: str = "127.0.0.1") -> int:
    """A port of `host` that nobody has now, neither for TCP nor for UDP."""
    for _ in range(100):
        with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp, contextlib.suppress(OSError):
            tcp.bind((host, 0))
            port: int = tcp.getsockname()[1]
            udp.bind((host, port))
            return port
    raise AssertionError("no free port")


def lasting_port() -> int:
    """A free port of 127.0.0.1 that no outgoing connection is given meanwhile, for what is to be bound again and again."""
    for port in random.sample(range(20_000, 32_000), 100):
        with socket.socket() as tcp, contextlib.suppress(OSError):
            tcp.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no free port")
