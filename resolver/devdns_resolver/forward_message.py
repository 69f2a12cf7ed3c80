"""Messages of the forwarder as bytes: what is asked of an upstream, what came back, what a client gets of it.

A reply is kept as it came, without its OPT; its records are walked once, strictly, and only TTLs, ID, flags and the spelling
of the question are ever written into it, so that compression pointers stay right.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from struct import Struct as Layout

from msgspec import Struct

from devdns_resolver.codes import HEADER, UDP_SIZE, Rcode, Type
from devdns_resolver.packet import HEAD, OPT
from devdns_resolver.query import COUNTS, RECORD, Query
from devdns_resolver.wirename import Malformed, read_name

TTL = Layout("!I")
OPTION = Layout("!HHH")
#: Where the TTL stands among the fixed fields of a record.
TTL_PLACE = 4
#: More than this in one reply is an attack on whoever reads it.
MAX_RECORDS = 2_000
OPTION_ERROR = 15
#: A TTL with the first bit set is none at all (RFC 2181 section 8).
TTL_LIMIT = 2**31
#: Answers proper; what else upstreams say (SERVFAIL, REFUSED, ...) is about them, not about the name.
USABLE = frozenset({Rcode.NOERROR, Rcode.NXDOMAIN})
#: Codes that a server which could not read the query may give without repeating it.
UNREAD = frozenset({Rcode.FORMERR, Rcode.SERVFAIL, Rcode.NOTIMP, Rcode.REFUSED})

#: The question in lower case as it goes on the wire, then a byte with DO and CD: replies differ by nothing else.
Key = bytes
DO, CD = 2, 1


class Found(Struct, frozen=True, gc=False):
    """One record of a reply: where its owner starts, where its TTL stands and where its data lie."""

    start: int
    section: int
    rtype: int
    ttl: int
    ttl_at: int
    data: tuple[int, int]


class Answer(Struct, frozen=True, gc=False):
    """An upstream's reply without its OPT, the places of its TTLs, and for how many seconds it may be kept (0: not)."""

    message: bytes
    ttls: tuple[int, ...]
    lifetime: int
    rcode: int


def key_of(data: bytes, query: Query) -> Key:
    """The key of a query that has a question."""
    if query.question is None:
        raise ValueError("a query without a question has no key")
    end = query.question.name_end
    do = query.edns is not None and query.edns.do
    return data[HEADER:end].lower() + data[end : end + 4] + bytes([do << 1 | query.cd])


def request(key: Key, ident: int, *, edns: bool = True) -> bytes:
    """The query for an upstream: RD set, with an OPT of our own (nothing of the client's options goes out)."""
    head = HEAD.pack(ident, 1, (key[-1] & CD) << 4, 1, 0, 0, edns)
    ours = OPT.pack(0, Type.OPT, UDP_SIZE, 0, 0, 0x8000 if key[-1] & DO else 0, 0)
    return head + key[:-1] + (ours if edns else b"")


def is_reply(asked: bytes, key: Key, data: bytes) -> bool:
    """Whether `data` replies to the query `asked` (RFC 5452 section 9.1); whatever does not is to be waited past."""
    if len(data) < HEADER or data[:2] != asked[:2] or data[2] & 0xF8 != 0x80:
        return False
    if data[4:6] == b"\0\0":
        return data[3] & 15 in UNREAD
    name, end = key[:-5], HEADER + len(key) - 1
    same = data[HEADER : HEADER + len(name)].lower() == name and data[HEADER + len(name) : end] == key[-5:-1]
    return data[4:6] == b"\0\1" and same


def is_truncated(data: bytes) -> bool:
    """Whether the rest is to be had over TCP."""
    return bool(data[2] & 2)


def records(data: bytes, offset: int) -> Iterator[Found]:
    """The records after the question, which ends at `offset`; raises `Malformed`, also for bytes left over."""
    counts = COUNTS.unpack_from(data, 4)[1:]
    if sum(counts) > MAX_RECORDS:
        raise Malformed("more records than anybody needs")
    for section, count in enumerate(counts):
        for _ in range(count):
            start = offset
            _, at = read_name(data, offset)
            if at + RECORD.size > len(data):
                raise Malformed("record cut short")
            rtype, _, ttl, length = RECORD.unpack_from(data, at)
            offset = at + RECORD.size + length
            if offset > len(data):
                raise Malformed("record data cut short")
            yield Found(start, section, rtype, ttl, at + TTL_PLACE, (at + RECORD.size, offset))
    if offset != len(data):
        raise Malformed("bytes after the last record")


def read(data: bytes, key: Key) -> tuple[Answer, tuple[Found, ...]]:
    """The reply in `data` (for which `is_reply` holds) and its records; raises `Malformed`.

    The lifetime is the least TTL of what it holds; of a denial the SOA's TTL or minimum, whichever is less, and nothing
    without a SOA (RFC 2308 section 5).
    """
    rcode, end = data[3] & 15, HEADER + len(key) - 1
    if data[4:6] == b"\0\0":
        return Answer(data[:HEADER], (), 0, rcode), ()
    found = tuple(records(data, end))
    opt = next((each for each in found if each.rtype == Type.OPT), None)
    if opt is not None:
        if opt.section != 2:
            raise Malformed("OPT outside the additional section")
        rcode |= data[opt.ttl_at] << 4
        found = tuple(each for each in found if each.start < opt.start)  # nothing but a signature stands after it
        additional = sum(each.section == 2 for each in found)
        data = data[:10] + additional.to_bytes(2, "big") + data[12 : opt.start]
    return Answer(data, tuple(each.ttl_at for each in found), _lifetime(data, found, key), rcode), found


def _lifetime(data: bytes, found: tuple[Found, ...], key: Key) -> int:
    ttls = [each.ttl if each.ttl < TTL_LIMIT else 0 for each in found]
    soa = next((each for each in found if each.section == 1 and each.rtype == Type.SOA), None)
    if soa is not None and soa.data[1] - soa.data[0] >= TTL.size:
        ttls.append(TTL.unpack_from(data, soa.data[1] - TTL.size)[0])
    elif is_denial(data, found, key):
        return 0
    return min(ttls, default=0)


def is_denial(message: bytes, found: tuple[Found, ...], key: Key) -> bool:
    """NXDOMAIN, or nothing of the type that was asked for."""
    qtype = int.from_bytes(key[-5:-3], "big")
    there = (qtype in (each.rtype, Type.ANY) for each in found if each.section == 0)
    return message[3] & 15 == Rcode.NXDOMAIN or not any(there)


def capped(answer: Answer, most: int) -> Answer:
    """The answer with no TTL over `most` seconds."""
    message = _with_ttls(answer, lambda ttl: min(ttl, most))
    return Answer(bytes(message), answer.ttls, min(answer.lifetime, most), answer.rcode)


def aged(answer: Answer, age: int) -> bytearray:
    """The message with every TTL less `age` seconds, at least 0."""
    return _with_ttls(answer, lambda ttl: max(ttl - age, 0)) if age else bytearray(answer.message)


def stale(answer: Answer, ttl: int) -> bytearray:
    """The message with every TTL `ttl`: what it said is over (RFC 8767 section 4)."""
    return _with_ttls(answer, lambda _: ttl)


def _with_ttls(answer: Answer, other: Callable[[int], int]) -> bytearray:
    message = bytearray(answer.message)
    for at in answer.ttls:
        (ttl,) = TTL.unpack_from(message, at)
        TTL.pack_into(message, at, other(ttl if ttl < TTL_LIMIT else 0))
    return message


def render(data: bytes, query: Query, message: bytearray, limit: int, note: int | None = None) -> bytes:
    """What the client that sent `data` gets: its ID, spelling, RD and CD, RA set, AA and AD not, its kind of EDNS.

    Over `limit` bytes it goes without its additional section, then without authority, at last empty with TC. `note` is an
    extended error for those with EDNS (RFC 8914).
    """
    end = HEADER if query.question is None else query.question.end
    opt = b"" if query.edns is None else _opt(do=query.edns.do, note=note)
    counts, stop = COUNTS.unpack_from(message, 4)[1:], len(message)
    tc = False
    if stop + len(opt) > limit:
        counts, stop, tc = _what_fits(message, end, limit - len(opt))
    first, second = 0x80 | tc << 1 | query.rd, 0x80 | query.cd << 4 | message[3] & 15
    head = HEAD.pack(data[0] << 8 | data[1], first, second, 1, counts[0], counts[1], counts[2] + bool(opt))
    return head + data[HEADER:end] + message[end:stop] + opt


def _what_fits(message: bytearray, end: int, limit: int) -> tuple[tuple[int, int, int], int, bool]:
    """Counts of records, where the last one ends, and TC: set only where it is the answer that has no room (RFC 2181 section 9)."""
    found = tuple(records(bytes(message), end))
    answers, authority = (tuple(each for each in found if each.section == section) for section in (0, 1))
    if authority and authority[-1].data[1] <= limit:
        return (len(answers), len(authority), 0), authority[-1].data[1], False
    denial = any(each.rtype == Type.SOA for each in authority)
    if answers and not denial and answers[-1].data[1] <= limit:
        return (len(answers), 0, 0), answers[-1].data[1], False
    return (0, 0, 0), end, True


def _opt(*, do: bool, note: int | None) -> bytes:
    option = b"" if note is None else OPTION.pack(OPTION_ERROR, 2, note)
    return OPT.pack(0, Type.OPT, UDP_SIZE, 0, 0, 0x8000 if do else 0, len(option)) + option


def bare(key: Key, rcode: Rcode) -> bytearray:
    """A reply to `key` that holds nothing but its code."""
    return bytearray(HEAD.pack(0, 0x80, rcode, 1, 0, 0, 0) + key[:-1])
