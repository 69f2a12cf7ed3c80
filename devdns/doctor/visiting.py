"""Goes the way of a request on this machine: a connect to a listener of ours, a TLS handshake, one GET. Each with a bound."""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
from pathlib import Path
from time import perf_counter

from devdns.doctor.facts import Address
from devdns.doctor.hops import Reach
from devdns.doctor.refusals import Reply

SECONDS = 3.0
MOST = 1 << 16


def connect(address: Address, shown: str) -> Reach:
    """Whether a listener takes connections."""
    start = perf_counter()
    try:
        socket.create_connection(address, SECONDS).close()
    except OSError as error:
        return Reach(shown, (error.strerror or str(error)).lower(), "devdns status, devdns logs", _since(start))
    return Reach(shown, ms=_since(start))


def handshake(address: Address, host: str, ca: Path) -> Reach:
    """Whether the certificate that is shown for the host is one that somebody who trusts our CA accepts."""
    start = perf_counter()
    try:
        with (
            socket.create_connection(address, SECONDS) as plain,
            _trusting(ca).wrap_socket(plain, server_hostname=host) as secure,
        ):
            return Reach(f"{secure.version()}, a certificate for {host}", ms=_since(start))
    except ssl.SSLCertVerificationError as error:
        return Reach(
            "the certificate",
            error.verify_message.lower(),
            "devdns status shows which one is served, and until when",
            _since(start),
        )
    except OSError as error:
        return Reach("the handshake", str(error), "devdns logs", _since(start))


def fetch(address: Address, host: str, path: str, ca: Path | None) -> Reply:
    """One GET through the proxy; over TLS where `ca` is given. The body is read as far as `MOST`."""
    start = perf_counter()
    connection = http.client.HTTPConnection(*address, timeout=SECONDS)
    with contextlib.closing(connection):
        try:
            connection.connect()
            if ca is not None:
                connection.sock = _trusting(ca).wrap_socket(connection.sock, server_hostname=host)
            fields = {"Host": host, "User-Agent": "devdns-explain", "Accept": "text/html,*/*;q=0.8"}
            connection.request("GET", path, headers=fields)
            answer = connection.getresponse()
            text = answer.read(MOST).decode("utf-8", "replace")
            location = answer.getheader("Location") or ""
        except TimeoutError:
            return Reply(failure=f"no response within {SECONDS:.0f} s", ms=_since(start), path=path)
        except (OSError, http.client.HTTPException) as error:
            return Reply(failure=f"no response: {str(error) or type(error).__name__}", ms=_since(start), path=path)
    return Reply(answer.status, text, location, "", _since(start), path)


def _trusting(ca: Path) -> ssl.SSLContext:
    """The system's CAs and ours: a certificate of the user's own may come from elsewhere."""
    context = ssl.create_default_context()
    if ca.exists():
        context.load_verify_locations(ca)
    return context


def _since(start: float) -> float:
    return round((perf_counter() - start) * 1000, 2)
