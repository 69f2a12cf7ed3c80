"""What the proxy would trust of an https target, for a check of it: `explain` asks seldom, so that nothing is kept here."""

from __future__ import annotations

import ssl
from pathlib import Path

from devdns.core.plain_file import read_regular
from devdns.core.routes import ALWAYS, NEVER

MOST_BYTES = 1 << 20


class CaRefused(Exception):
    """A CA file that cannot be used: why, in words."""


def settings(trust: str, *, local: bool) -> ssl.SSLContext:
    """The TLS settings for a target with this `trust`; `local` where it is on loopback, or a Unix socket. Raises `CaRefused`."""
    if trust.startswith("/"):
        return _of_file(trust)
    found = ssl.create_default_context()
    if trust == NEVER or (trust != ALWAYS and local):
        found.check_hostname = False
        found.verify_mode = ssl.CERT_NONE
    return found


def _of_file(path: str) -> ssl.SSLContext:
    """Settings that trust these certificates and no others; one that is no root will do."""
    try:
        text = read_regular(Path(path), MOST_BYTES).decode("ascii", "ignore")
        found = ssl.create_default_context(cadata=text or "nothing")  # nothing at all would mean the system's store
    except ssl.SSLError:
        raise CaRefused(f"the CA file {path} cannot be used: it holds no certificate in PEM form") from None
    except OSError as error:
        why = (error.strerror or "it cannot be read").lower()
        raise CaRefused(f"the CA file {path} cannot be used: {why}") from None
    found.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return found
