"""Requests with something wrong in them: seeds, and what is inserted, replaced, removed or doubled in them."""

from __future__ import annotations

import random

SEEDS = [
    b"POST /first HTTP/1.1\r\nHost: api.dev.test\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\nhello",
    b"POST /first HTTP/1.1\r\nHost: api.dev.test\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\nT: x\r\n\r\n",
    b"GET /first?a=b HTTP/1.1\r\nHost: api.dev.test\r\nCookie: a=b\r\nAccept: */*\r\n\r\n",
    b"POST /first HTTP/1.0\r\nHost: api.dev.test\r\nContent-Length: 3\r\nConnection: keep-alive\r\n\r\nabc",
]
NASTY = [
    b"\r", b"\n", b"\r\n", b" ", b"\t", b"\0", b":", b",", b";", b"\x0b", b"\x85", b"\xa0", b"\xff", b"+", b"-", b"0x", b"_", b'"', b"%0a",
    b"\r\n ", b"\r\nContent-Length: 0", b"\r\nContent-Length: 50", b"\r\nTransfer-Encoding: chunked", b"\r\nTransfer-Encoding: identity",
    b"\r\nTransfer-Encoding:\x0bchunked", b"\r\nTransfer_Encoding: chunked", b"\r\nContent_Length: 60", b"\r\nHost: other", b"0\r\n\r\n",
    b"\r\nConnection: content-length", b"\r\nConnection: transfer-encoding", b"\r\nExpect: 100-continue", b"\r\nUpgrade: h2c",
    b"\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: api.dev.test\r\n\r\n",
]  # fmt: skip
LAST = b"GET /second HTTP/1.1\r\nHost: api.dev.test\r\nConnection: close\r\n\r\n"


def mutated(random: random.Random) -> bytes:
    """A seed with one or two things inserted, replaced, removed or doubled."""
    data = random.choice(SEEDS)
    for _ in range(random.choice((1, 1, 2))):
        at = random.randrange(len(data))
        until = at + random.choice((0, 0, 1, 1, random.randint(0, 20)))
        data = data[:at] + random.choice([*NASTY, b"", data[at : at + 30] * 2]) + data[until:]
    return data
