"""Does somebody listen at a target, and would the proxy trust it: one bounded connect each, all at once."""

from __future__ import annotations

import asyncio
import errno
import os
import ssl
from collections.abc import Iterable
from ipaddress import ip_address
from time import perf_counter

from msgspec.structs import replace

from devdns.control import certificates
from devdns.control.explain import Check
from devdns.core.routes import Target

BOUND = 0.2
#: Seconds for a name to resolve, and for a service to finish a TLS handshake.
RESOLVING = HANDSHAKE = 1.0
MOST_CHECKED = 32
TRUST = "let the route trust it (verify: false, or ca: and the path of its CA; --no-verify or --ca of devdns add)"


class _Failed(Exception):
    """Why a target cannot be reached, and what to do besides naming another one."""

    def __init__(self, detail: str, mend: str = "start the service") -> None:
        super().__init__(detail)
        self.detail, self.mend = detail, mend


async def check_all(targets: Iterable[Target]) -> tuple[Check, ...]:
    """A check of each target (at most 32 of a pool), in their order; takes little more than its three bounds in seconds."""
    return tuple(await asyncio.gather(*(check(target) for target in list(targets)[:MOST_CHECKED])))


async def check(target: Target) -> Check:
    """Connects, speaks TLS where the target does, and hangs up; not where a connect would prove nothing."""
    start = perf_counter()
    try:
        found = Check(str(target), True, await _look(target), 0.0)
    except _Failed as failed:
        found = Check(str(target), False, failed.detail, 0.0, failed.mend)
    return replace(found, ms=round((perf_counter() - start) * 1000, 2))


async def _look(target: Target) -> str:
    """What was found, in words; raises `_Failed`."""
    writer = await _connected(target, await _resolved(target))
    try:
        if target.scheme != "https":
            return "a connect succeeds"
        await _shake_hands(writer, target)
        return "a connect and a TLS handshake succeed"
    finally:
        writer.transport.abort()


async def _resolved(target: Target) -> list[str]:
    """The addresses of the target's host. A thread resolves, which nobody can stop: what it finds too late is dropped."""
    loop = asyncio.get_running_loop()
    if target.path:
        return [""]
    asked = loop.create_task(loop.getaddrinfo(target.host, target.port, type=1), name=f"resolve {target.host}")
    asked.add_done_callback(lambda task: task.cancelled() or task.exception())
    done, _ = await asyncio.wait((asked,), timeout=RESOLVING)
    mend = f"see that {target.host} resolves on this machine"
    if not done:
        raise _Failed(f"the name {target.host} was not resolved within {RESOLVING:g} s", mend)
    error = asked.exception()
    if error is not None:
        raise _Failed(f"the name {target.host} does not resolve ({_words(error)})", mend)
    return list(dict.fromkeys(str(place[0]) for *_, place in asked.result()))


async def _connected(target: Target, addresses: list[str]) -> asyncio.StreamWriter:
    """A connection to the first address that takes one."""
    failed = _Failed(f"no answer within {BOUND * 1000:.0f} ms")
    try:
        async with asyncio.timeout(BOUND):
            for address in addresses:
                try:
                    return await _connect(target, address)
                except OSError as error:
                    failed = _Failed(_words(error))
    except TimeoutError:
        raise _Failed(f"no answer within {BOUND * 1000:.0f} ms") from None
    raise failed


async def _connect(target: Target, address: str) -> asyncio.StreamWriter:
    if target.path:
        return (await asyncio.open_unix_connection(target.path))[1]
    return (await asyncio.open_connection(address, target.port))[1]


async def _shake_hands(writer: asyncio.StreamWriter, target: Target) -> None:
    """Speaks TLS as the proxy would."""
    peer = writer.get_extra_info("peername")
    local = not isinstance(peer, tuple) or ip_address(peer[0].partition("%")[0]).is_loopback
    try:
        async with asyncio.timeout(HANDSHAKE):
            settings = await asyncio.to_thread(certificates.settings, target.trust, local=local)
            await writer.start_tls(settings, server_hostname=target.host or "localhost")
    except TimeoutError:
        raise _Failed(f"a connect succeeds, but no TLS handshake within {HANDSHAKE:g} s") from None
    except certificates.CaRefused as refused:
        raise _Failed(str(refused), "give it a CA file in PEM form, or another one") from None
    except ssl.SSLCertVerificationError as error:
        raise _Failed(f"its certificate is not trusted here ({error.verify_message.rstrip('.')})", TRUST) from None
    except OSError as error:
        raise _Failed(f"a connect succeeds, but no TLS handshake: {_words(error)}", "see that it speaks TLS") from None


def _words(error: BaseException) -> str:
    if isinstance(error, ssl.SSLError):
        return (error.reason or "it failed").lower().replace("_", " ")
    if not isinstance(error, OSError):
        return str(error) or type(error).__name__
    if error.errno == errno.ECONNREFUSED:
        return "connection refused: nothing listens there"
    if error.errno and error.errno > 0:
        return os.strerror(error.errno).lower()
    return (error.strerror or str(error)).lower()  # of a name that does not resolve, whose number is no errno
