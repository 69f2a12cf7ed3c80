"""The UDP edge of a socket bound to no address in particular (`0.0.0.0`, `::`).

The kernel would choose the source address of a reply, and clients ignore replies from elsewhere than where they asked; so
the address that was asked is read from each message (IP_PKTINFO, RFC 3542 section 6) and the reply sent from it.
"""

from __future__ import annotations

import socket
import sys
from ipaddress import ip_address
from struct import Struct as Layout
from time import perf_counter

from devdns_resolver import mmsg
from devdns_resolver.responder import Responder
from devdns_resolver.udp import BATCH, MAX_QUERY, BatchListener, UdpListener
from devdns_resolver.udp_late import UdpCaller

#: Python names it from 3.13 on.
IP_PKTINFO = 8 if sys.platform == "linux" else 26
#: Interface, the local address, the address in the packet: equal but for broadcasts.
INFO4 = Layout("=I4s4s")
#: Address, interface.
INFO6 = Layout("=16sI")
Control = tuple[int, int, bytes]
ROOM = socket.CMSG_SPACE(INFO6.size) + socket.CMSG_SPACE(INFO4.size)


def udp_listener(sock: socket.socket, responder: Responder) -> UdpListener:
    """The listener for a bound socket: in batches where it has an address and the system has them."""
    if ip_address(sock.getsockname()[0].partition("%")[0]).is_unspecified:
        return AnyAddressListener(sock, responder)
    return BatchListener(sock, responder) if mmsg.available else UdpListener(sock, responder)


class AnyAddressListener(UdpListener):
    """Answers on every address of the machine, from the address that was asked."""

    def __init__(self, sock: socket.socket, responder: Responder) -> None:
        super().__init__(sock, responder)
        if sock.family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
        else:
            sock.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)

    def _readable(self) -> None:
        responder = self._responder
        responder.refresh()
        try:
            for _ in range(BATCH):
                data, extra, _, source = self._socket.recvmsg(MAX_QUERY, ROOM)
                began = perf_counter()
                here, origin = asked_at(extra)
                desk = responder.desk("udp", here) if here else self._desk
                caller = UdpCaller(self.send_late, source, origin)
                reply = responder.respond(responder.vantage(desk, source[0]), data, caller)
                if reply is not None:
                    self._socket.sendmsg([reply], origin, 0, source)
                    responder.sent("udp", source[0], reply, began)
        except BlockingIOError:
            return
        except OSError:
            responder.counters.unsent += 1


def asked_at(extra: list[Control]) -> tuple[str | None, list[Control]]:
    """The local address a message came to, and what makes the reply leave from it."""
    for level, kind, info in extra:
        if (level, kind) == (socket.IPPROTO_IP, IP_PKTINFO):
            _, local, _ = INFO4.unpack(info)
            return socket.inet_ntop(socket.AF_INET, local), [(level, kind, INFO4.pack(0, local, bytes(4)))]
        if (level, kind) == (socket.IPPROTO_IPV6, socket.IPV6_PKTINFO):
            return socket.inet_ntop(socket.AF_INET6, info[:16]), [(level, kind, info)]
    return None, []
