"""TLS towards services: whose certificate is checked, against what, and what went wrong in words.

Where the route does not say, a service on loopback is not checked: only this machine can be at the other end, plain HTTP there
is trusted as far, and the certificates of development servers are self-signed. Every other one must be trusted by the system's
store.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path

from msgspec import Struct

from devdns.core.plain_file import read_regular
from devdns.core.routes import ALWAYS, NEVER

#: What is offered, in this order; what another protocol is to come of can only be HTTP/1.1.
ALPN = ["h2", "http/1.1"]
UPGRADES = ["http/1.1"]
#: Seconds after which a refused certificate makes the store be read again: by then its CA may have been added.
STALE = 5.0
#: CA files kept, and bytes read of one.
MOST_FILES = 64
MOST_BYTES = 1 << 20


class CaRefused(Exception):
    """A CA file that cannot be used: why, in words."""


class _Loaded(Struct, frozen=True):
    """A CA file as it was read: the settings, and by what a later look knows that it is still the same."""

    settings: ssl.SSLContext
    seen: tuple[int, int, int]


def is_local(address: str) -> bool:
    """True for loopback and for the path of a Unix socket."""
    return address.startswith("/") or ip_address(address.partition("%")[0]).is_loopback


class Trust:
    """The TLS settings of connections to services, made when the first one needs them; `clock` is in seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._read = 0.0
        self._checked: dict[bool, ssl.SSLContext] = {}
        self._unchecked: dict[bool, ssl.SSLContext] = {}
        self._files: dict[tuple[str, bool], _Loaded] = {}

    def settings(self, address: str, trust: str = "", *, upgrade: bool = False) -> ssl.SSLContext:
        """How to speak TLS with the service at `address`, when its target has this `trust`; raises `CaRefused`.

        `upgrade`: for a request that offers another protocol.
        """
        if trust.startswith("/"):
            return self._of_file(trust, upgrade=upgrade)
        if trust == NEVER or (trust != ALWAYS and is_local(address)):
            if upgrade not in self._unchecked:
                self._unchecked[upgrade] = _offering(_unchecked(), upgrade=upgrade)
            return self._unchecked[upgrade]
        if upgrade not in self._checked:
            self._read = self._clock()
            self._checked[upgrade] = _offering(ssl.create_default_context(), upgrade=upgrade)
        return self._checked[upgrade]

    def _of_file(self, path: str, *, upgrade: bool) -> ssl.SSLContext:
        """The settings that trust the CAs of a file as it is now: it is looked at for each connection, and read when it is another."""
        try:
            found = os.stat(path)  # noqa: PTH116 - a string in, three numbers out
            seen = (found.st_ino, found.st_mtime_ns, found.st_size)
            kept = self._files.get((path, upgrade))
            if kept is None or kept.seen != seen:
                if len(self._files) >= MOST_FILES:
                    self._files.clear()
                settings = _offering(_checked_by(read_regular(Path(path), MOST_BYTES)), upgrade=upgrade)
                kept = self._files[path, upgrade] = _Loaded(settings, seen)
        except OSError as error:  # an SSLError is one, too: there is no certificate in it
            why = (
                "holds no certificate in PEM form"
                if isinstance(error, ssl.SSLError)
                else (error.strerror or "cannot be read")
            )
            raise CaRefused(f"the CA file {path} cannot be used: {why.lower()}") from None
        return kept.settings

    def doubt(self) -> None:
        """A certificate was refused: the next connection reads the store again, unless that has just been done."""
        if self._clock() - self._read > STALE:
            self._checked.clear()


def _checked_by(certificates: bytes) -> ssl.SSLContext:
    """Settings that trust these certificates (PEM) and no others; one that is no root, or the service's own, will do."""
    # Nothing at all would mean the system's store.
    settings = ssl.create_default_context(cadata=certificates.decode("ascii", "ignore") or "nothing")
    settings.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return settings


def _unchecked() -> ssl.SSLContext:
    settings = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    settings.check_hostname = False
    settings.verify_mode = ssl.CERT_NONE
    return settings


def _offering(settings: ssl.SSLContext, *, upgrade: bool) -> ssl.SSLContext:
    settings.set_alpn_protocols(UPGRADES if upgrade else ALPN)
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
