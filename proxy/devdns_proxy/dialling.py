"""New connections to services. Local targets are dialled at 127.0.0.1, then ::1; what a name must not lead to is refused."""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from ipaddress import ip_address
from typing import TYPE_CHECKING

from devdns.core.own_addresses import is_own
from devdns.core.routes import Target, forbidden
from devdns_proxy import secure, unix_targets
from devdns_proxy.upstream import Upstream

if TYPE_CHECKING:
    from devdns_proxy.context import Context

LOCAL = ("127.0.0.1", "localhost")
SCHEMES = ("http", "https")
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


async def dial(context: Context, target: Target) -> Upstream:
    """A new connection to `target`; raises `DialFailed` (the first reason) after each of its addresses was tried."""
    if target.scheme not in SCHEMES:
        raise DialFailed(f"{target.scheme} targets are not supported yet")
    address, connected = await _reached(context, target)
    return await _proved(context, await _begin(context, target, address, connected))


async def connect(context: Context, target: Target) -> socket.socket:
    """A socket connected to a target of raw TCP; raises `DialFailed` as `dial` does."""
    _, connected = await _reached(context, target)
    if not target.path and is_own(connected.getpeername()[0]):
        connected.close()
        raise DialFailed(f"{target.host} leads to devdns itself")
    return connected


async def _reached(context: Context, target: Target) -> tuple[str, socket.socket]:
    """The first address of `target` that takes a connection, and that connection."""
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
            return address, connected
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
    family = socket.AF_UNIX if target.path else socket.AF_INET6 if ":" in address else socket.AF_INET
    connecting = socket.socket(family, socket.SOCK_STREAM)
    try:
        connecting.setblocking(False)
        async with asyncio.timeout(context.limits.connect_time):
            if target.path:
                await _connect_unix(context, connecting, target.path)
            else:
                await context.loop.sock_connect(connecting, (address, target.port))
                _not_itself(connecting)
    except BaseException:
        connecting.close()
        raise
    return connecting


def _not_itself(connecting: socket.socket) -> None:
    """Refuses a connection whose other end it is itself: a port that is dialled often enough, and dead, is given to a dial."""
    if connecting.getsockname() == connecting.getpeername():
        raise ConnectionRefusedError(errno.ECONNREFUSED, "connection refused")


async def _connect_unix(context: Context, connecting: socket.socket, path: str) -> None:
    try:
        with unix_targets.dialled(path, context.private) as where:
            await context.loop.sock_connect(connecting, where)
            while not _has_peer(connecting):
                await asyncio.sleep(FULL_PAUSE)
                await context.loop.sock_connect(connecting, where)
    except unix_targets.Forbidden as refused:
        raise DialFailed(str(refused)) from None


def _has_peer(connecting: socket.socket) -> bool:
    """False where a Unix socket's queue was full: EAGAIN, which event loops take for a connect that is under way (connect(2))."""
    try:
        connecting.getpeername()
    except OSError:
        return False
    return True


async def _begin(context: Context, target: Target, address: str, connected: socket.socket) -> Upstream:
    """Speaks TLS first where the target wants it. Connecting is the kernel's matter, this the service's, which may be busy."""
    loop, limits = context.loop, context.limits
    if target.scheme == "http":
        _, upstream = await loop.create_connection(lambda: Upstream(context, target), sock=connected)
        return upstream
    try:
        settings = context.trust.settings(address, target.trust)
    except secure.CaRefused as refused:
        connected.close()
        raise DialFailed(f"{target} cannot be checked: {refused}") from None
    try:
        async with asyncio.timeout(limits.handshake_time):
            _, upstream = await loop.create_connection(
                lambda: Upstream(context, target),
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
    return upstream


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
