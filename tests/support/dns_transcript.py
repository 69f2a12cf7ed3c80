"""Rows such as ("api.dev.test A", "NOERROR aa", "api.dev.test. 1 IN A 127.0.0.1"): written with dnspython, which shares no
code with the resolver.

A question is `NAME TYPE` and, after it, any of: `CH`, `+tcp`, `+edns`, `+edns=VERSION`, `+size=BYTES`, `+do`, `+cookie=LENGTH`,
`+rd`, `+cd`, `+ad`, `+opcode=NUMBER`.
"""

from __future__ import annotations

from typing import NamedTuple

import dns.edns
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.rdatatype

SHOWN_FLAGS = ("AA", "TC", "RD", "RA", "AD", "CD")


class Asked(NamedTuple):
    wire: bytes
    tcp: bool


def ask(line: str, ident: int = 4660) -> Asked:
    """The bytes of a question."""
    name, rdtype, *words = line.split()
    options = dict(word.removeprefix("+").partition("=")[::2] for word in words if word.startswith("+"))
    rdclass = next((word for word in words if not word.startswith("+")), "IN")
    edns = {"edns", "size", "do", "cookie"} & options.keys()
    query = dns.message.make_query(
        name,
        rdtype,
        rdclass,
        use_edns=int(options.get("edns") or 0) if edns else -1,
        payload=int(options.get("size") or 1232) if edns else None,
        want_dnssec=None,
        options=[dns.edns.GenericOption(10, bytes(range(int(options["cookie"]))))] if "cookie" in options else None,
        flags=sum(flag for word, flag in (("rd", 0x100), ("cd", 0x10), ("ad", 0x20)) if word in options),
        id=ident,
    )
    if "do" in options:
        query.ednsflags |= dns.flags.DO
    wire = bytearray(query.to_wire())
    wire[2] |= int(options.get("opcode", 0)) << 3
    return Asked(bytes(wire), "tcp" in options)


def status(reply: bytes) -> str:
    """`NOERROR aa`: the response code, then the flags set, in the order of the header, then `edns` if there is an OPT."""
    message = dns.message.from_wire(reply)
    shown = [flag.lower() for flag in SHOWN_FLAGS if message.flags & dns.flags.Flag[flag]]
    return " ".join([dns.rcode.to_text(message.rcode()), *shown, *(["edns"] if message.edns >= 0 else [])])


def records(section: list[dns.rrset.RRset]) -> str:
    """The records of a section, one a line, sorted."""
    return "\n".join(
        sorted(
            f"{rrset.name} {rrset.ttl} IN {dns.rdatatype.to_text(rrset.rdtype)} {rdata}"
            for rrset in section
            for rdata in rrset
        )
    )


def answers(reply: bytes) -> str:
    return records(dns.message.from_wire(reply).answer)


def denial(reply: bytes) -> str:
    """The owner of the SOA of a negative answer, checked to forbid keeping it; empty when there is none."""
    section = dns.message.from_wire(reply).authority
    if not section:
        return ""
    (rrset,) = section
    (soa,) = rrset
    assert (rrset.rdtype, rrset.ttl, soa.minimum) == (dns.rdatatype.SOA, 0, 0)
    return str(rrset.name)
