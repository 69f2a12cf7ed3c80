"""Messages by hand, for what no library would build, and hypothesis strategies for queries and broken queries."""

from __future__ import annotations

from hypothesis import strategies as st

A, NS, SOA, TXT, AAAA, SRV, OPT, HTTPS, IXFR, AXFR, ANY = 1, 2, 6, 16, 28, 33, 41, 65, 251, 252, 255
ROOT = b"\0"
#: Where the records of `query()` begin.
HEADER_AND_QUESTION = 12 + len(b"\3api\3dev\4test\0") + 4


def name(text: str) -> bytes:
    """`api.dev.test` as it stands in a message; empty is the root."""
    labels = [label.encode("latin-1") for label in text.split(".")] if text else []
    return b"".join(bytes([len(label)]) + label for label in labels) + ROOT


def u16(*numbers: int) -> bytes:
    return b"".join(number.to_bytes(2, "big") for number in numbers)


def header(flags: int = 0, qd: int = 1, an: int = 0, ns: int = 0, ar: int = 0, ident: int = 0x1234) -> bytes:
    return u16(ident, flags, qd, an, ns, ar)


def question(text: str = "api.dev.test", qtype: int = A, qclass: int = 1) -> bytes:
    return name(text) + u16(qtype, qclass)


def record(owner: bytes, rtype: int, data: bytes = b"", rclass: int = 1, ttl: int = 0) -> bytes:
    return owner + u16(rtype, rclass) + ttl.to_bytes(4, "big") + u16(len(data)) + data


def opt(*options: tuple[int, bytes], size: int = 1232, version: int = 0, flags: int = 0, owner: bytes = ROOT) -> bytes:
    data = b"".join(u16(code, len(value)) + value for code, value in options)
    return record(owner, OPT, data, size, version << 16 | flags)


def query(text: str = "api.dev.test", qtype: int = A, *additional: bytes, flags: int = 0) -> bytes:
    return header(flags, ar=len(additional)) + question(text, qtype) + b"".join(additional)


def rcode(reply: bytes) -> int:
    """The four bits of the header."""
    return reply[3] & 15


labels = st.one_of(
    st.sampled_from(
        [b"api", b"API", b"aPi", b"dev", b"devdns", b"_http", b"_tcp", b"wild", b"*", b"x" * 63, b"a.b", b"a\0B"]
    ),
    st.binary(min_size=1, max_size=12),
)
tails = st.sampled_from(
    [b"\3dev\4test\0", b"\3DEV\4tEst\0", b"\4shop\4test\0", b"\4test\0", b"\11localhost\0", b"\3com\0", b"\0"]
)
names = st.builds(
    lambda front, tail: b"".join(bytes([len(label)]) + label for label in front) + tail,
    st.lists(labels, max_size=5),
    tails,
)
types = st.one_of(st.sampled_from([A, NS, SOA, TXT, AAAA, SRV, OPT, HTTPS, IXFR, AXFR, ANY]), st.integers(0, 65535))
options = st.lists(st.tuples(st.sampled_from([3, 8, 10, 10, 11, 12]), st.binary(max_size=41)), max_size=3)
opts = st.builds(
    lambda chosen, size, version, flags: opt(*chosen, size=size, version=version, flags=flags),
    options,
    st.sampled_from([0, 512, 513, 1232, 4096, 65535]),
    st.sampled_from([0, 0, 0, 1, 255]),
    st.sampled_from([0, 0x8000, 0xFFFF]),
)
queries = st.builds(
    lambda asked, qtype, qclass, more, flags: header(flags, ar=len(more)) + asked + u16(qtype, qclass) + b"".join(more),
    names,
    types,
    st.sampled_from([1, 1, 1, 1, 3, 255]),
    st.one_of(st.just([]), st.lists(opts, min_size=1, max_size=1), st.lists(opts, max_size=2)),
    st.sampled_from([0, 0x100, 0x120, 0x110, 0x0130, 0x2000, 0x7FFF]),
)


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A query with some bytes changed, then cut or lengthened."""
    data = bytearray(draw(queries))
    for _ in range(draw(st.integers(1, 4))):
        data[draw(st.integers(2, len(data) - 1))] = draw(st.integers(0, 255))
    cut = draw(st.integers(0, len(data)))
    return bytes(data[:cut] if draw(st.booleans()) else data + draw(st.binary(max_size=20)))


anything = st.one_of(queries, mutated(), st.binary(max_size=64), st.binary(max_size=512))
