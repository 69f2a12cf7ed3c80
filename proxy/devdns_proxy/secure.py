"""TLS towards services: whose certificate is checked, against what, and what went wrong in words.

A service on loopback is not checked: only this machine can be at the other end, plain HTTP there is trusted as far, and the
certificates of development servers are self-signed. Every other one must be trusted by the system's store.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from ipaddress import ip_address

ALPN = ["http/1.1"]
#: Seconds after which a refused certificate makes the store be read again: by then its CA may have been added.
STALE = 5.0


def is_local(address: str) -> bool:
    """True for loopback and for the path of a Unix socket."""
    return address.startswith("/") or ip_address(address.partition("%")[0]).is_loopback


class Trust:
    """The TLS settings of connections to services, made when the first one needs them; `clock` is in seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._read = 0.0
        self._checked: ssl.SSLContext | None = None
        self._unchecked: ssl.SSLContext | None = None

    def settings(self, address: str) -> ssl.SSLContext:
        """How to speak TLS with the service at `address`."""
        if is_local(address):
            if self._unchecked is None:
                self._unchecked = _unchecked()
            return self._unchecked
        if self._checked is None:
            self._read = self._clock()
            self._checked = ssl.create_default_context()
            self._checked.set_alpn_protocols(ALPN)
        return self._checked

    def doubt(self) -> None:
        """A certificate was refused: the next connection reads the store again, unless that has just been done."""
        if self._clock() - self._read > STALE:
            self._checked = None


def _unchecked() -> ssl.SSLContext:
    settings = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    settings.check_hostname = False
    settings.verify_mode = ssl.CERT_NONE
    settings.set_alpn_protocols(ALPN)
    return settings


def words(error: OSError) -> str:
    """Why a handshake failed, after the name of the target."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"has a certificate that is not trusted here ({error.verify_message.rstrip('.')})"
    if isinstance(error, ssl.SSLError) and error.reason == "WRONG_VERSION_NUMBER":
        return "does not speak TLS: is it http:// there?"
    if isinstance(error, ssl.SSLError) and error.reason:
        return f"refused the TLS handshake ({error.reason.lower().replace('_', ' ')})"
    return "closed the connection during the TLS handshake"
