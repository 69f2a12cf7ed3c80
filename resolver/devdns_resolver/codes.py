"""The numbers of the protocol that decide something here (IANA "Domain Name System (DNS) Parameters")."""

from __future__ import annotations

from enum import IntEnum

HEADER = 12
CLASS_IN = 1
OPCODE_QUERY = 0
OPTION_COOKIE = 10

#: What we can take and will send over UDP: fits an Ethernet frame over IPv6 (DNS flag day 2020).
UDP_SIZE = 1232
#: The limit for clients without EDNS (RFC 1035 section 4.2.1), and the smallest size EDNS can mean (RFC 6891 section 6.2.3).
PLAIN_SIZE = 512
TCP_SIZE = 65535


class Type(IntEnum):
    """Record and query types that are treated in a way of their own; every other type is NODATA."""

    A = 1
    NS = 2
    SOA = 6
    TXT = 16
    AAAA = 28
    SRV = 33
    OPT = 41
    IXFR = 251
    AXFR = 252
    ANY = 255


class Rcode(IntEnum):
    """Response codes; those over 15 need EDNS (RFC 6891 section 6.1.3)."""

    NOERROR = 0
    FORMERR = 1
    SERVFAIL = 2
    NXDOMAIN = 3
    NOTIMP = 4
    REFUSED = 5
    BADVERS = 16
