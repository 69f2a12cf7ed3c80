"""Replies as bytes; the only file that knows dnslib.

The question is copied byte for byte (0x20 case kept) and every owner compresses into it, so that a packed reply fits any
other spelling of the same question once its question is replaced.
"""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct as Layout
from typing import cast

import dnslib  # type: ignore[import-untyped] # it ships no types
from dnslib.label import DNSBuffer, DNSLabel  # type: ignore[import-untyped] # it ships no types

from devdns_resolver.answer import Reply
from devdns_resolver.codes import HEADER, PLAIN_SIZE, UDP_SIZE, Rcode, Type
from devdns_resolver.query import Query
from devdns_resolver.records import Record
from devdns_resolver.wirename import Labels

HEAD = Layout("!HBBHHHH")
OPT = Layout("!BHHBBHH")


def _soa(primary: Labels, mailbox: Labels, times: tuple[int, ...]) -> dnslib.SOA:
    return dnslib.SOA(DNSLabel(primary), DNSLabel(mailbox), times)


def _srv(priority: int, weight: int, port: int, target: Labels) -> dnslib.SRV:
    return dnslib.SRV(priority, weight, port, DNSLabel(target))


RDATA: dict[Type, Callable[..., dnslib.RD]] = {
    Type.A: dnslib.A,
    Type.AAAA: dnslib.AAAA,
    Type.NS: lambda server: dnslib.NS(DNSLabel(server)),
    Type.SOA: _soa,
    Type.SRV: _srv,
    Type.TXT: dnslib.TXT,
}


class _Offsets(dict[Labels, int]):
    """Where names stand in a message, whatever their case, for compression."""

    def __contains__(self, labels: object) -> bool:
        return super().__contains__(_folded(cast("Labels", labels)))

    def __getitem__(self, labels: Labels) -> int:
        return super().__getitem__(_folded(labels))

    def __setitem__(self, labels: Labels, offset: int) -> None:
        super().__setitem__(_folded(labels), offset)


def _folded(labels: Labels) -> Labels:
    return tuple(label.lower() for label in labels)


def udp_limit(query: Query) -> int:
    """The largest reply this client takes over UDP; without EDNS 512 bytes."""
    return min(query.edns.size, UDP_SIZE) if query.edns else PLAIN_SIZE


def pack(data: bytes, query: Query, reply: Reply, limit: int) -> bytes:
    """The reply to the query in `data`; when over `limit` bytes, the same without records and with TC."""
    message = _pack(data, query, reply, tc=False)
    if len(message) <= limit:
        return message
    return _pack(data, query, Reply(reply.rcode, aa=reply.aa, ra=reply.ra), tc=True)


def _pack(data: bytes, query: Query, reply: Reply, *, tc: bool) -> bytes:
    buffer = DNSBuffer(_head(data, query, reply, tc=tc))
    buffer.offset, buffer.names = len(buffer), _Offsets()
    if query.question is not None:
        buffer.append(data[HEADER : query.question.end])
        _remember(buffer, query.question.labels)
    for record in (*reply.answers, *reply.authority, *reply.additional):
        _append(buffer, record)
    if query.edns is not None:
        buffer.append(OPT.pack(0, Type.OPT, UDP_SIZE, reply.rcode >> 4, 0, 0x8000 if query.edns.do else 0, 0))
    return bytes(buffer.data)


def _head(data: bytes, query: Query, reply: Reply, *, tc: bool) -> bytes:
    """ID, opcode, RD and CD mirror the query (RFC 1035 section 4.1.1, RFC 4035 section 3.2.2); AD and Z stay 0."""
    first = 0x80 | query.opcode << 3 | reply.aa << 2 | tc << 1 | query.rd
    second = reply.ra << 7 | query.cd << 4 | reply.rcode & 15
    additional = len(reply.additional) + (query.edns is not None)
    counts = (query.question is not None, len(reply.answers), len(reply.authority), additional)
    return HEAD.pack(data[0] << 8 | data[1], first, second, *counts)


def _remember(buffer: DNSBuffer, labels: Labels) -> None:
    """Makes the question's name and all its parents targets of compression."""
    offset = HEADER
    for index, label in enumerate(labels):
        buffer.names[labels[index:]] = offset
        offset += len(label) + 1


def _append(buffer: DNSBuffer, record: Record) -> None:
    data = RDATA[record.rtype](*record.data)
    dnslib.RR(DNSLabel(record.owner), record.rtype, ttl=record.ttl, rdata=data).pack(buffer)


def error(data: bytes, rcode: Rcode) -> bytes:
    """A header that says `rcode` and nothing else; for messages that are not looked into."""
    return HEAD.pack(data[0] << 8 | data[1], 0x80 | data[2] & 0x79, data[3] & 0x10 | rcode & 15, 0, 0, 0, 0)
