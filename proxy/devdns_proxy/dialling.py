"""New connections to services. Local targets are dialled at 127.0.0.1, then ::1; what a name must not lead to is refused."""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from collections.abc import Awaitable, Callable
from functools import partial
from ipaddress import ip_address
from typing import TYPE_CHECKING, TypeVar

from devdns.core.own_addresses import is_own
from devdns.core.routes import Target, forbidden
from devdns_proxy import secure, unix_targets
from devdns_proxy.connecting import tcp, unconnected
from devdns_proxy.h2up.either import Either
from devdns_proxy.h2up.link import Link, NoHttp2
from devdns_proxy.upstream import Upstream

if TYPE_CHECKING:
    from devdns_proxy.context import Context

Found = TypeVar("Found")

LOCAL = ("127.0.0.1", "localhost")
FULL_PAUSE = 0.01
#: What passes by itself where a service, its container or its network is starting anew. ENOTCONN: it accepted and reset at once.
PASSING = frozenset((
    errno.ECONNREFUSED, errno.ECONNRESET, errno.ECONNABORTED, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.ENETDOWN,
    errno.ETIMEDOUT, errno.ENOENT, errno.ENOTCONN, errno.EPIPE,
))  # fmt: skip


class DialFailed(Exception):
    """No connection to a target: why, in words, and whether it was the time that ran out.

    `crowded`: it is worth another try, because an accept queue that is full drops what asks for a connection.
    `passing`: nothing is there, which passes where a service is being restarted.
    """

    def __init__(self, reason: str, *, timed_out: bool = False, crowded: bool = False, passing: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.timed_out = timed_out
        self.crowded = crowded
        self.passing = passing


async def dial(context: Context, target: Target, *, upgrade: bool = False) -> Upstream:
    """A new connection to `target`, or a lane of one that is shared; raises `DialFailed`.

    `upgrade`: for a request that offers another protocol, which a connection of its own can become, in HTTP/1.1.
    """
    if target.scheme in ("http", "tls"):
        return await _proved(context, await _reach(context, target, _begin_plain))
    if upgrade and target.scheme == "https":
        return await _alone(context, await _reach(context, target, partial(_begin_tls, upgrade=True)))
    link = context.links.free(target)
    if link is not None:
        return link.lane()
    if target.scheme == "h2c":
        link = await context.links.join(target, lambda: _reach(context, target, _begin_h2c))
        if link.leaving:
            raise DialFailed(f"{target} goes away before it has taken a request", passing=True)
        return link.lane()
    return await _alone(context, await _reach(context, target, _begin_tls))


async def connect(context: Context, target: Target) -> socket.socket:
    """A socket connected to a target of raw TCP; raises `DialFailed` as `dial` does."""
    connected = await _reach(context, target, _bare)
    if not target.path and is_own(connected.getpeername()[0]):
        connected.close()
        raise DialFailed(f"{target.host} leads to devdns itself")
    return connected


async def _bare(_context: Context, _target: Target, _address: str, connected: socket.socket) -> socket.socket:
    """The connection as it is: whoever asked for it speaks over it."""
    return connected


async def _alone(context: Context, found: Upstream | Link) -> Upstream:
    """What a request is sent over: a service that has spoken HTTP/2 is there, another may have to prove it."""
    return found.lane() if isinstance(found, Link) else await _proved(context, found)


async def _reach(
    context: Context, target: Target, begin: Callable[[Context, Target, str, socket.socket], Awaitable[Found]]
) -> Found:
    """A new connection; raises `DialFailed` (the first reason) after each of its addresses was tried.

    Connecting is the kernel's matter, what `begin` does is the service's, which may be busy.
    """
    context.counters.dials += 1
    failure: DialFailed | None = None
    for address in await _addresses(context, target):
        try:
            connected = await _connect(context, target, address)
        except TimeoutError:
            seconds = f"{context.limits.connect_time:g} s"
            reason = f"{target} did not accept a connection within {seconds}"
            failure = failure or DialFailed(reason, timed_out=True, crowded=True)
        except OSError as error:
            reason = f"{target} cannot be reached: {_words(error)}"
            failure = failure or DialFailed(reason, passing=error.errno in PASSING)
            if not isinstance(error, ConnectionRefusedError):
                break
        else:
            return await begin(context, target, address, connected)
    raise failure or DialFailed(f"{target} has no address")


async def _proved(context: Context, upstream: Upstream) -> Upstream:
    """The connection, if its target is not doubted or keeps it open for a while."""
    if not context.watches.doubted(upstream.target):
        return upstream
    try:
        await asyncio.sleep(context.limits.proof_time)
    except asyncio.CancelledError:
        upstream.transport.abort()
        raise
    if upstream.transport.is_closing():
        raise DialFailed(f"{upstream.target} closes connections without an answer", passing=True)
    context.watches.trust(upstream.target)
    return upstream


async def _connect(context: Context, target: Target, address: str) -> socket.socket:
    """A socket connected to one address of `target`, within the time that a connect is given."""
    async with asyncio.timeout(context.limits.connect_time):
        if target.path:
            return await _connect_unix(context, target.path)
        return await tcp(context.loop, (address, target.port))


async def _connect_unix(context: Context, path: str) -> socket.socket:
    connecting = unconnected(socket.AF_UNIX)
    try:
        with unix_targets.dialled(path, context.private) as where:
            await context.loop.sock_connect(connecting, where)
            while not _has_peer(connecting):
                await asyncio.sleep(FULL_PAUSE)
                await context.loop.sock_connect(connecting, where)
    except unix_targets.Forbidden as refused:
        connecting.close()
        raise DialFailed(str(refused)) from None
    except BaseException:
        connecting.close()
        raise
    return connecting


def _has_peer(connecting: socket.socket) -> bool:
    """False where a Unix socket's queue was full: EAGAIN, which event loops take for a connect that is under way (connect(2))."""
    try:
        connecting.getpeername()
    except OSError:
        return False
    return True


async def _begin_plain(context: Context, target: Target, _: str, connected: socket.socket) -> Upstream:
    return (await context.loop.create_connection(lambda: Upstream(context, target), sock=connected))[1]


async def _begin_h2c(context: Context, target: Target, _: str, connected: socket.socket) -> Link:
    """HTTP/2 by prior knowledge (RFC 9113 section 3.3)."""
    link = (await context.loop.create_connection(lambda: Link(context, target), sock=connected))[1]
    return await _greeted(context, link)


async def _begin_tls(
    context: Context, target: Target, address: str, connected: socket.socket, *, upgrade: bool = False
) -> Upstream | Link:
    chosen = (await _shake_hands(context, target, address, connected, upgrade=upgrade)).chosen
    return await _greeted(context, chosen) if isinstance(chosen, Link) else chosen


async def _greeted(context: Context, link: Link) -> Link:
    """The connection, once the service has said its settings: that it accepted one proves nothing where a relay did."""
    try:
        async with asyncio.timeout(context.limits.handshake_time):
            await link.ready
    except TimeoutError:
        seconds = f"{context.limits.handshake_time:g} s"
        link.close()
        raise DialFailed(f"{link.target} did not say its HTTP/2 settings within {seconds}", timed_out=True) from None
    except NoHttp2 as refused:
        raise DialFailed(f"{link.target} {refused}", passing=refused.passing) from None
    except asyncio.CancelledError:
        link.close()
        raise
    context.watches.trust(link.target)
    return link


async def _shake_hands(
    context: Context, target: Target, address: str, connected: socket.socket, *, upgrade: bool
) -> Either:
    """The TLS handshake, in which the service chooses the version of HTTP where it is offered two."""
    loop, limits = context.loop, context.limits
    try:
        settings = context.trust.settings(address, target.trust, upgrade=upgrade)
    except secure.CaRefused as refused:
        connected.close()
        raise DialFailed(f"{target} cannot be checked: {refused}") from None
    try:
        async with asyncio.timeout(limits.handshake_time):
            _, either = await loop.create_connection(
                lambda: Either(context, target),
                sock=connected,
                ssl=settings,
                server_hostname=target.host
                or "localhost",  # SNI where it is a name; the name the certificate must have
                ssl_shutdown_timeout=limits.linger_time,
            )
    except TimeoutError:
        seconds = f"{limits.handshake_time:g} s"
        raise DialFailed(f"{target} did not finish the TLS handshake within {seconds}", timed_out=True) from None
    except OSError as error:
        if isinstance(error, ssl.SSLCertVerificationError):
            context.trust.doubt()
        raise DialFailed(f"{target} {secure.words(error)}", passing=error.errno in PASSING) from None
    return either


async def _addresses(context: Context, target: Target) -> list[str]:
    """The addresses to dial, in order; a name is resolved now and what it must not lead to is refused (SSRF)."""
    if target.path:
        return [target.path]
    if target.host in LOCAL:
        return ["127.0.0.1", "::1"]
    try:
        address = ip_address(target.host)
    except ValueError:
        return await _resolve(context, target)
    if forbidden(address):
        raise DialFailed(f"{target.host} is not an address of a service")
    return [target.host]


async def _resolve(context: Context, target: Target) -> list[str]:
    try:
        async with asyncio.timeout(context.limits.connect_time):
            found = await context.loop.getaddrinfo(target.host, target.port, type=1)
    except TimeoutError:
        raise DialFailed(f"the name {target.host} was not resolved in time", timed_out=True, crowded=True) from None
    except OSError as error:
        raise DialFailed(f"the name {target.host} cannot be resolved: {_words(error)}") from None
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    for address in addresses:
        if forbidden(ip_address(address.partition("%")[0])):
            raise DialFailed(f"the name {target.host} leads to {address}, which is not an address of a service")
    return addresses


def _words(error: OSError) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "connection refused, nothing listens there"
    return (error.strerror or str(error)).lower()
