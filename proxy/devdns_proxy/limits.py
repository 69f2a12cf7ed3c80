"""The bounds of the proxy in one table: they defend against slow and greedy peers and never limit a body's size."""

from __future__ import annotations

import resource

from msgspec import Struct
from msgspec.structs import replace

#: Descriptors for everything but clients and services.
OTHER_FILES = 64


class Limits(Struct, frozen=True, gc=False):
    """Sizes in bytes, times in seconds."""

    connections_loopback: int = 8_192
    connections_elsewhere: int = 256
    request_line: int = 8_192
    request_head: int = 32_768
    reply_head: int = 65_536
    ahead: int = 65_536
    head_time: float = 10.0
    hello: int = 16_384
    hello_time: float = 5.0
    idle_time: float = 75.0
    stall_time: float = 60.0
    linger_time: float = 2.0
    leave_time: float = 0.5
    connect_time: float = 1.0
    connect_tries: int = 5
    handshake_time: float = 10.0
    reply_time: float = 300.0
    opening: int = 5
    settle_time: float = 0.005
    brisk_time: float = 0.02
    avoid_time: float = 2.0
    held: int = 8_192
    held_bytes: int = 33_554_432
    refused_hold: float = 5.0
    left_time: float = 1.0
    doubt_time: float = 5.0
    proof_time: float = 0.03
    distrust_time: float = 300.0
    pool_idle: float = 4.0
    pool_size: int = 64


def fitting(limits: Limits, files: int) -> Limits:
    """The same with no more connections of one client than `files`, the descriptors a process may have, serve: each needs two."""
    if files == resource.RLIM_INFINITY:
        return limits
    most = max(1, (files - OTHER_FILES) // 2)
    return replace(limits, connections_loopback=min(limits.connections_loopback, most))
