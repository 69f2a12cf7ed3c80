"""The decision: a query, the table and the settings in, a reply (or the wish to forward) out. Nothing else is read."""

from __future__ import annotations

from ipaddress import ip_address

from msgspec import Struct

from devdns.core.routes import RouteTable, reached_without
from devdns_resolver.authority import Authority, Kind, authority_of, is_above_zone
from devdns_resolver.codes import CLASS_IN, Rcode, Type
from devdns_resolver.query import Query, Question
from devdns_resolver.records import Record, addresses, name_server, start_of_authority
from devdns_resolver.services import service_records
from devdns_resolver.settings import LOOPBACK4, LOOPBACK6, Settings
from devdns_resolver.wirename import Labels, host_of


class Reply(Struct, frozen=True):
    """What to send back besides what mirrors the query. `ra` is set where recursion is on offer."""

    rcode: Rcode
    answers: tuple[Record, ...] = ()
    authority: tuple[Record, ...] = ()
    additional: tuple[Record, ...] = ()
    aa: bool = False
    ra: bool = False


class Forward(Struct, frozen=True):
    """A question that is not ours to answer and that the settings want forwarded."""

    question: Question


def answer(query: Query, table: RouteTable, settings: Settings) -> Reply | Forward:
    """What `query` gets. Faults first, then what is not data (other classes, transfers), then the zones."""
    question = query.question
    if query.fault is not None or question is None:
        return _bare(query.fault or Rcode.FORMERR, settings)
    if question.qclass != CLASS_IN or question.qtype in (Type.AXFR, Type.IXFR):
        return _bare(Rcode.REFUSED, settings)
    authority = authority_of(question.name, settings.zones)
    if authority is None:
        return Forward(question) if settings.forwards else _bare(Rcode.REFUSED, settings)
    answers = _apex(question, authority, table) or _data(question, authority, table, settings)
    if answers:
        return Reply(
            Rcode.NOERROR, answers, additional=_glue(answers, authority, settings), aa=True, ra=settings.forwards
        )
    denial = (_soa(authority, table),)
    return Reply(_denial(question, authority, settings), authority=denial, aa=True, ra=settings.forwards)


def _bare(rcode: Rcode, settings: Settings) -> Reply:
    return Reply(rcode, ra=settings.forwards)


def _soa(authority: Authority, table: RouteTable) -> Record:
    return start_of_authority(authority.apex, authority.primary, table.generation)


def _apex(question: Question, authority: Authority, table: RouteTable) -> tuple[Record, ...]:
    """SOA and NS, which stand at an apex only."""
    if len(question.labels) != len(authority.apex):
        return ()
    if question.qtype == Type.NS:
        return (name_server(authority.apex, authority.primary),)
    return (_soa(authority, table),) if question.qtype == Type.SOA else ()


def _data(question: Question, authority: Authority, table: RouteTable, settings: Settings) -> tuple[Record, ...]:
    """The RRset asked for, empty when there is none; ANY gets one RRset (RFC 8482 section 4.1)."""
    if authority.kind is Kind.TEST:
        return ()
    if question.qtype in (Type.A, Type.AAAA, Type.ANY):
        raw = _raw(question, authority, table, settings)
        if raw is not None:
            return addresses(question.labels, Type.A, raw) if question.qtype != Type.AAAA else ()
        return _addresses(question.labels, question.qtype, authority, settings)
    if question.qtype in (Type.SRV, Type.TXT) and authority.kind is Kind.ZONE:
        return service_records(question, table, settings)
    return ()


def _raw(question: Question, authority: Authority, table: RouteTable, settings: Settings) -> tuple[str, ...] | None:
    """The addresses of a raw TCP name: its own, which is IPv4, for this machine; None for any other name.

    It means nothing elsewhere, and there is no port at a gateway that would be this name's alone. So a container gets the
    addresses of the service itself, as far as they are in its network, unless HTTP at the gateway is what the name has to offer, too.
    While nobody can connect there, no address is given: at 127.0.0.1 another service may listen on that port.
    """
    host = host_of(question.name) if authority.kind is Kind.ZONE else None
    routes = table.raw(host) if host is not None else ()
    if not routes:
        return None
    if settings.reach is None:
        return tuple(dict.fromkeys(route.address for route in routes if route.address))
    if table.at(routes[0].host):
        return None
    near = (host for route in routes for host in reached_without(route))
    return tuple(dict.fromkeys(host for host in near if ip_address(host) in settings.reach))


def _addresses(owner: Labels, qtype: int, authority: Authority, settings: Settings) -> tuple[Record, ...]:
    here = authority.kind is Kind.LOCALHOST  # RFC 6761 section 6.3: both families, whoever listens
    a, aaaa = ((LOOPBACK4,), (LOOPBACK6,)) if here else (settings.a, settings.aaaa)
    if qtype == Type.AAAA or (qtype == Type.ANY and not a):
        return addresses(owner, Type.AAAA, aaaa)
    return addresses(owner, Type.A, a)


def _glue(answers: tuple[Record, ...], authority: Authority, settings: Settings) -> tuple[Record, ...]:
    """The addresses of a zone's name server beside its NS record: BIND's stub zones ask for nothing else."""
    if answers[0].rtype != Type.NS or authority.kind is not Kind.ZONE:
        return ()
    primary = authority.primary
    return addresses(primary, Type.A, settings.a) + addresses(primary, Type.AAAA, settings.aaaa)


def _denial(question: Question, authority: Authority, settings: Settings) -> Rcode:
    """NXDOMAIN exists only outside the zones; everywhere else a missing type is NODATA."""
    absent = authority.kind is Kind.TEST and not is_above_zone(question.name, settings.zones)
    return Rcode.NXDOMAIN if absent else Rcode.NOERROR
