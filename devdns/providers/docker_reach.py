"""Where a container can be reached from here: knocks at addresses and published ports. Sockets, no Docker.

docker-proxy accepts on a published port before and whether or not the service listens, so there a connect proves
nothing: the connection has to stay open for a while, or say something. What speaks HTTP is asked, and says it at once.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from collections import deque
from collections.abc import Sequence
from enum import Enum
from ipaddress import ip_address

from devdns.core.http2 import GREETING
from devdns.providers.docker_container import LOCAL, NOWHERE, Container, Ground, Published, Reach

WITHIN = 0.2
#: Seconds until a connection that says nothing counts as one to a service. What was asked something would mostly have answered by then,
#: and docker-proxy on a busy machine may be that late to find out that nobody is there.
STAYS_OPEN, STAYS_MUTE = 0.05, 0.5
#: What docker-proxy has hung up on so often tells how long that takes it now: who is kept so many times longer, and this long at least, is
#: through to the service, it seems. Until that is certain docker-proxy has read nothing that it cannot pass on, and a request is sent again.
HUNG_UP, TIMES, AT_LEAST = 3, 5, 0.005
#: What is said to a service, by its scheme. Any answer will do, also that there is no such thing.
ASK = {
    "http": b"HEAD / HTTP/1.1\r\nHost: localhost\r\nUser-Agent: devdns\r\nConnection: close\r\n\r\n",
    "h2c": GREETING,
}


class Knock(Enum):
    """What a knock found: a service, a machine without the service, or no way there."""

    OPEN = "open"
    REFUSED = "refused"
    SILENT = "silent"


class Relay:
    """What stands before one published port while its container starts: in how many seconds it hung up on those who knocked lately.

    `looked` says whether it is docker-proxy; None where nobody looks. `guessed`: the last knock counts as a service's for that alone.
    """

    __slots__ = ("guessed", "looked", "took")

    def __init__(self, looked: asyncio.Task[bool] | None = None) -> None:
        self.looked = looked
        self.guessed = False
        self.took: deque[float] = deque(maxlen=HUNG_UP)

    @property
    def stays(self) -> float | None:
        """Seconds after which who is still connected seems to be so to the service; None where that is not known. A guess is made certain."""
        known = self.looked is not None and self.looked.done() and self.looked.result() and not self.guessed
        return max(AT_LEAST, TIMES * max(self.took)) if known and len(self.took) == HUNG_UP else None

    def note(self, found: Knock, stays: float | None, took: float) -> None:
        """What came of a knock that was to stay for `stays` seconds, after `took`."""
        self.guessed = found is Knock.OPEN and stays is not None and took >= stays
        if found is Knock.REFUSED:
            self.took.append(took)


async def reach(  # noqa: PLR0913 # what is reached, from where, and what is known beforehand
    container: Container,
    port: int,
    ground: Ground,
    *,
    scheme: str = "",
    beyond: bool = False,
    relay: Relay | None = None,
) -> Reach:
    """The container's own address where this host routes to it, else the published port, else `NOWHERE`.

    Some gateways refuse what they do not route: a refusal at the own address stands only if the published port is no better.
    `beyond`: own addresses were out of reach lately, so that a published port that answers first is not kept waiting for them.
    """
    relay = relay or Relay()
    own = [(ground.host, port)] if container.host_network else []
    if ground.routed and not own:
        own = [(address, port) for address in container.addresses]
    ask = ASK.get(scheme, b"")
    if (
        beyond
        and not container.host_network
        and (first := await _sooner(container, port, ground, own, ask, relay)).host
    ):
        return first
    found = await _first(own)
    if found.open or container.host_network:
        return found
    published = await _published(container, port, ground, ask, relay)
    if not found.host or not published.open:
        return found if found.host else published
    again = await _first(own)  # the service may have come up between the two knocks
    return again if again.open else published


async def _sooner(  # noqa: PLR0913, PLR0917 # what `reach` has
    container: Container, port: int, ground: Ground, own: Sequence[tuple[str, int]], ask: bytes, relay: Relay
) -> Reach:
    """The published port while the own addresses say nothing; `NOWHERE` once they do."""
    asked = asyncio.create_task(_first(own))
    try:
        published = await _published(container, port, ground, ask, relay)
        return NOWHERE if asked.done() else published
    finally:
        asked.cancel()
        await asyncio.gather(asked, return_exceptions=True)


async def _published(container: Container, port: int, ground: Ground, ask: bytes, relay: Relay) -> Reach:
    host, there = published_at(container, port, ground)
    if not there:
        return NOWHERE
    clock = asyncio.get_running_loop().time
    began, stays = clock(), relay.stays
    found = await knock_published(host, there, ask, stays)
    relay.note(found, stays, clock() - began)
    return Reach(host, there, found is Knock.OPEN, published=True)


def published_at(container: Container, port: int, ground: Ground) -> tuple[str, int]:
    """The address and port at which a port is published; port 0 where it is not."""
    places = (spot(place, ground) for place in container.published.get(port, ()))
    return next((place for place in places if place[1]), ("", 0))


async def _first(spots: Sequence[tuple[str, int]]) -> Reach:
    """The first spot that answers, else the first that refuses; all are asked at once."""
    knocks = await asyncio.gather(*(knock(host, port) for host, port in spots))
    for wanted in (Knock.OPEN, Knock.REFUSED):
        for (host, port), found in zip(spots, knocks, strict=True):
            if found is wanted:
                return Reach(host, port, found is Knock.OPEN)
    return NOWHERE


def spot(place: Published, ground: Ground) -> tuple[str, int]:
    """Where a published port is asked for: an unspecified address stands for every one of the engine's machine."""
    port = int(place.host_port) if place.host_port.isdigit() else 0
    try:
        address = ip_address(place.host_ip or "0.0.0.0")
    except ValueError:
        return place.host_ip, port
    if address.is_unspecified or (address.is_loopback and ground.host != LOCAL):
        return "::1" if address.version == 6 and ground.host == LOCAL else ground.host, port
    return str(address), port


async def knock(host: str, port: int, within: float = WITHIN) -> Knock:
    """Connects and hangs up. `within` seconds without an answer are none."""
    found, sock = await _connect(host, port, within)
    if sock:
        sock.close()
    return found


async def knock_published(host: str, port: int, ask: bytes = b"", stays: float | None = None) -> Knock:
    """Connects and says `ask`: open when a byte comes or the connection stays for `stays` seconds."""
    stays = stays or (STAYS_MUTE if ask else STAYS_OPEN)
    found, sock = await _connect(host, port, WITHIN)
    if sock is None:
        return Knock.REFUSED if found is Knock.OPEN else found  # open without a socket: it was reset
    with sock:
        try:
            async with asyncio.timeout(stays):
                loop = asyncio.get_running_loop()
                await loop.sock_sendall(sock, ask)
                heard = await loop.sock_recv(sock, 1)
        except TimeoutError:
            return Knock.OPEN
        except OSError:
            return Knock.REFUSED
    return Knock.OPEN if heard else Knock.REFUSED


async def _connect(host: str, port: int, within: float) -> tuple[Knock, socket.socket | None]:
    """The knock and, when open and still so, the connected socket, which is the caller's to close."""
    sock: socket.socket | None = None
    try:
        sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        sock.setblocking(False)
        async with asyncio.timeout(within):
            await asyncio.get_running_loop().sock_connect(sock, (host, port))
        if (
            sock.getsockname() == sock.getpeername()
        ):  # a port that is dead, of this machine, may be given to who knocks at it
            return Knock.REFUSED, None
        open_, sock = sock, None
    except ConnectionResetError:  # accepted and reset at once: where nothing listens it would have been a refusal
        return Knock.OPEN, None
    except OSError as error:
        return (Knock.REFUSED if error.errno == errno.ECONNREFUSED else Knock.SILENT), None
    except UnicodeError:  # a host that is no name at all
        return Knock.SILENT, None
    finally:
        if sock is not None:
            sock.close()
    return Knock.OPEN, open_


def _is_itself(sock: socket.socket) -> bool:
    """True for a knock that is its own other end: a dead port of this machine may be given to who knocks at it."""
    try:
        return bool(sock.getsockname() == sock.getpeername())
    except OSError:  # it was reset at once
        return False
