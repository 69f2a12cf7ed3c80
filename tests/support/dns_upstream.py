"""Upstreams that behave as a test says, on real sockets in threads of their own; written with dnspython."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator

import dns.flags
import dns.message
import dns.rcode
import dns.rrset

from support.dns_server import bound

#: From a query and how it came (`udp`, `tcp`) to the messages sent back, none for silence.
Behaviour = Callable[[dns.message.Message, str], list[bytes]]


class Upstream:
    """Answers on `host`:`port` as `behave` says, which may be another one at any time; `asked` are the queries that came."""

    def __init__(self, behave: Behaviour, host: str = "127.0.0.1") -> None:
        self.behave = behave
        self.host = host
        self.asked: list[dns.message.Message] = []
        self.sources: list[int] = []
        udp, tcp, self.port = bound([host])
        self._udp, self._tcp = udp[0], tcp[0]
        self._threads = [threading.Thread(target=each, daemon=True) for each in (self._serve_udp, self._serve_tcp)]

    @property
    def address(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def names(self) -> list[str]:
        return [str(query.question[0].name) for query in self.asked]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        for sock in (self._udp, self._tcp):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()

    def _replies(self, data: bytes, transport: str) -> list[bytes]:
        query = dns.message.from_wire(data)
        self.asked.append(query)
        return self.behave(query, transport)

    def _serve_udp(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            while True:
                data, source = self._udp.recvfrom(4096)
                if not data:
                    continue
                self.sources.append(source[1])
                for reply in self._replies(data, "udp"):
                    self._udp.sendto(reply, source)

    def _serve_tcp(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._tcp.accept()
                with connection, contextlib.suppress(OSError):
                    connection.settimeout(5)
                    size = int.from_bytes(connection.recv(2, socket.MSG_WAITALL), "big")
                    for reply in self._replies(connection.recv(size, socket.MSG_WAITALL), "tcp"):
                        connection.sendall(len(reply).to_bytes(2, "big") + reply)


@contextlib.contextmanager
def upstream(behave: Behaviour, host: str = "127.0.0.1") -> Iterator[Upstream]:
    """An upstream until the end of the block."""
    made = Upstream(behave, host)
    made.start()
    try:
        yield made
    finally:
        made.stop()


def reply(query: dns.message.Message, *lines: str, rcode: int = 0, soa: str = "") -> dns.message.Message:
    """A reply with these records (`NAME TTL IN TYPE DATA`; `@` is the name asked for) and, for a denial, that SOA."""
    made = dns.message.make_response(query, recursion_available=True)
    made.set_rcode(dns.rcode.Rcode(rcode))
    for section, texts in ((made.answer, lines), (made.authority, (soa,) if soa else ())):
        for text in texts:
            owner, ttl, rdclass, rdtype, data = text.split(maxsplit=4)
            name = query.question[0].name if owner == "@" else owner
            section.append(dns.rrset.from_text(name, int(ttl), rdclass, rdtype, data))
    return made


def says(*lines: str, **more) -> Behaviour:
    """The upstream that answers everything with these records."""
    return lambda query, _: [reply(query, *lines, **more).to_wire(max_size=65535)]


def silent(*_: object) -> list[bytes]:
    """The upstream that hears and says nothing."""
    return []


def slow(seconds: float, *lines: str) -> Behaviour:
    """The upstream that takes its time."""
    never = threading.Event()
    return lambda query, _: [] if never.wait(seconds) else [reply(query, *lines).to_wire()]


def truncating(*lines: str) -> Behaviour:
    """The upstream that answers over TCP only."""

    def behave(query: dns.message.Message, transport: str) -> list[bytes]:
        made = reply(query, *(lines if transport == "tcp" else ()))
        made.flags |= 0 if transport == "tcp" else dns.flags.TC
        return [made.to_wire(max_size=65535)]

    return behave
