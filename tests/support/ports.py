"""Ports for foreign programs that cannot be told "port 0"."""

import contextlib
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
