"""From bytes and an address to bytes: access, packed answers, the decision. Knows no sockets, raises nothing.

A `Desk` belongs to one address that is asked; the edges keep its `vantages` at hand, so that a query costs one look-up by
its source address and one by its bytes.
"""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_interface
from time import perf_counter
from typing import Literal

import structlog

from devdns.core.frames import Hello, TableView
from devdns.core.routes import RouteTable
from devdns_resolver.access import Access, Address, plain_address
from devdns_resolver.answer import Forward, Reply, answer
from devdns_resolver.codes import TCP_SIZE, Rcode
from devdns_resolver.counters import Counters
from devdns_resolver.forward import MAX_EXCHANGES, Forwarder
from devdns_resolver.forward_asked import Asked, Caller
from devdns_resolver.packed import Answers, keep, recall, storable
from devdns_resolver.packet import error, pack, udp_limit
from devdns_resolver.query import Query, parse
from devdns_resolver.query_log import QueryLog
from devdns_resolver.settings import LOOPBACK4, Client, Settings, settings_for

log = structlog.get_logger()

MAX_ANSWERS = 20_000
#: Source addresses whose class is remembered per listener; on loopback alone there are 16 million.
MAX_SOURCES = 1_024
LOG_EVERY = 1_000

Transport = Literal["udp", "tcp"]


class Vantage:
    """All that an answer depends on besides the table and the bytes asked; `settings` None: whoever asks is refused."""

    __slots__ = ("answers", "settings", "transport")

    def __init__(self, transport: Transport, settings: Settings | None) -> None:
        self.transport = transport
        self.settings = settings
        self.answers: Answers = {}


class Desk:
    """One address that is asked: the vantages of those who ask it, by source address. Emptied when the settings change."""

    def __init__(self, transport: Transport, listener: str) -> None:
        self.transport: Transport = transport
        self.listener = listener
        self.vantages: dict[str | bytes, Vantage] = {}


class Responder:
    """Answers for all listeners from one view of the table. `exchanges` bounds those of the forwarder with its upstreams."""

    def __init__(self, view: TableView, *, exchanges: int = MAX_EXCHANGES) -> None:
        self.view = view
        self.counters = Counters()
        self.queries: QueryLog | None = None
        self.forwarder = Forwarder(self._count, room=exchanges)
        self._desks: dict[tuple[Transport, str], Desk] = {}
        self._by_class: dict[tuple[Transport, Client | None, str], Vantage] = {}
        self._bridges: dict[Address, IPv4Network | IPv6Network] = {}
        self._access = Access()
        self._hello: Hello | None = None
        self._epoch = view.network.epoch
        self._table: RouteTable = view.table
        self._kept = 0

    def desk(self, transport: Transport, listener: str) -> Desk:
        """The place of those who ask at the address `listener`; all of loopback is one."""
        address = plain_address(listener)
        key = (transport, LOOPBACK4 if address.is_loopback else str(address))
        if key not in self._desks:
            self._desks[key] = Desk(*key)
        return self._desks[key]

    def serve_bridge(self, place: str) -> None:
        """From now on who asks at this bridge's address from its network (`172.17.0.1/16`) is answered with that address."""
        bridge = ip_interface(place)
        self._bridges[bridge.ip] = bridge.network
        self._hello = None  # classes are to be told anew

    def refresh(self) -> None:
        """Notices a new table or new settings. The view changes between callbacks only: once per wake-up is enough."""
        if self.view.table is not self._table:
            self._table = self.view.table
            self._drop_answers()
        if self.view.hello is not self._hello:
            self._hello = self.view.hello
            self._access = Access(self._hello.config.dns.allow if self._hello else (), self._bridges)
            self.forwarder.sources.configure(self._hello.config.dns.forward if self._hello else "off")
            self._by_class.clear()
            self._kept = 0
            for desk in self._desks.values():
                desk.vantages.clear()
        if self.view.network.epoch != self._epoch:
            self._epoch = self.view.network.epoch
            self.forwarder.moved()

    def vantage(self, desk: Desk, source: str | bytes) -> Vantage:
        """Where a query from address `source` (text or bytes) stands; decided before anything of it is read."""
        found = desk.vantages.get(source)
        if found is None:
            if len(desk.vantages) >= MAX_SOURCES:
                desk.vantages.clear()
            found = desk.vantages[source] = self._admit(desk, source)
        return found

    def respond(self, vantage: Vantage, data: bytes, caller: Caller | None = None) -> bytes | None:
        """The reply to one message; None when there must be none, or `caller` gets it later. Any bytes do."""
        reply = recall(vantage.answers, data)
        return reply if reply is not None else self.build(vantage, data, caller)

    def build(self, vantage: Vantage, data: bytes, caller: Caller | None = None) -> bytes | None:
        """The same for a message to which no reply is kept."""
        try:
            return self._build(vantage, data, caller)
        except Exception:
            # The edge's catch-all: a fault of ours must not silence the other names, nor flood the log.
            if self.counters.failures % LOG_EVERY == 0:
                log.exception("query failed", query=data[:128].hex(), failures=self.counters.failures + 1)
            self.counters.failures += 1
            return error(data, Rcode.SERVFAIL)

    def sent(self, transport: Transport, client: str | bytes, reply: bytes, began: float | None = None) -> None:
        """Notes one reply that is out; `began` is when its query was read, None where an upstream was asked."""
        took = None if began is None else perf_counter() - began
        if took is not None:
            self.counters.took(took)
        if self.queries is not None:
            self.queries.note(transport, client, reply, took)

    def _admit(self, desk: Desk, source: str | bytes) -> Vantage:
        client = self._access.client(source, desk.listener)
        key = (desk.transport, client, desk.listener)
        if key not in self._by_class:
            hello = self._hello
            settings = None
            if hello is not None and client is not None:
                network = self._access.bridges.get(plain_address(desk.listener))
                settings = settings_for(hello, client, desk.listener, network)
            self._by_class[key] = Vantage(desk.transport, settings)
        return self._by_class[key]

    def _build(self, vantage: Vantage, data: bytes, caller: Caller | None) -> bytes | None:
        query = parse(data)
        if query is None:
            self.counters.dropped += 1
            return None
        limit = udp_limit(query) if vantage.transport == "udp" else TCP_SIZE
        reply = self._decide(query, vantage.settings)
        if isinstance(reply, Forward):
            if caller is not None:
                return self.forwarder.forward(
                    Asked(data[: reply.question.end], query, limit, vantage.transport, caller)
                )
            reply = Reply(Rcode.REFUSED)
        message = pack(data, query, reply, limit)
        qtype = query.question.qtype if query.question else None
        self.counters.cell(vantage.transport, qtype, reply.rcode, hit=False)[0] += 1
        if vantage.settings is not None and query.question is not None and storable(data, query, message):
            hits = self.counters.cell(vantage.transport, qtype, reply.rcode, hit=True)
            self._keep_room()
            keep(vantage.answers, data, query.question.name_end, message, hits)
        return message

    def _decide(self, query: Query, settings: Settings | None) -> Reply | Forward:
        return Reply(Rcode.REFUSED) if settings is None else answer(query, self._table, settings)

    def _count(self, asked: Asked, rcode: int) -> None:
        """Counts a reply of the forwarder."""
        qtype = asked.query.question.qtype if asked.query.question else None
        self.counters.cell(asked.transport, qtype, rcode, hit=False)[0] += 1

    def _keep_room(self) -> None:
        if self._kept >= MAX_ANSWERS:
            self._drop_answers()
        self._kept += 1

    def _drop_answers(self) -> None:
        for vantage in self._by_class.values():
            vantage.answers.clear()
        self._kept = 0
