"""A CA certificate as a file holds it: its bytes, and the fingerprints by which the stores of this machine know it."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from pathlib import Path

from msgspec import Struct

from devdns.core.errors import DevdnsError
from devdns.core.plain_file import read_regular

MOST_BYTES = 1 << 16
LONGEST_BUNDLE = 8 << 20
BLOCK = re.compile(rb"-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----")
LINE = 64  # RFC 7468 section 2


class CertificateRefused(DevdnsError):
    """A file that does not hold one certificate."""


class Certificate(Struct, frozen=True):
    """One certificate, by its DER bytes alone: how the PEM around it was written does not matter."""

    der: bytes

    @property
    def fingerprint(self) -> str:
        """SHA-256 in lower-case hexadecimal."""
        return hashlib.sha256(self.der).hexdigest()

    @property
    def thumbprint(self) -> str:
        """SHA-1 in upper-case hexadecimal, the name of a certificate on macOS and Windows; nothing rests on its strength."""
        return hashlib.sha1(self.der, usedforsecurity=False).hexdigest().upper()

    @property
    def name(self) -> str:
        """What it is called where it is trusted: the same certificate never gets two names, nor two the same."""
        return name_of(self.fingerprint)

    @property
    def pem(self) -> bytes:
        """As one PEM block (RFC 7468), newline at the end."""
        text = base64.b64encode(self.der).decode()
        lines = [text[at : at + LINE] for at in range(0, len(text), LINE)]
        return "\n".join(["-----BEGIN CERTIFICATE-----", *lines, "-----END CERTIFICATE-----", ""]).encode()


def name_of(fingerprint: str) -> str:
    """`devdns-` and the first 16 digits of the fingerprint."""
    return f"devdns-{fingerprint[:16]}"


def spoken(fingerprint: str) -> str:
    """The fingerprint as browsers show it: `AB:CD:...`."""
    return ":".join(fingerprint[at : at + 2] for at in range(0, len(fingerprint), 2)).upper()


def in_pem(text: bytes) -> list[bytes]:
    """The DER bytes of every certificate of a PEM file, in order; what else is in it is passed over."""
    found = []
    for block in BLOCK.finditer(text):
        try:
            found.append(base64.b64decode(b"".join(block[1].split()), validate=True))
        except binascii.Error:
            continue
    return found


def read(path: Path) -> Certificate:
    """The one certificate in a PEM file; raises `CertificateRefused`."""
    try:
        found = in_pem(read_regular(path, MOST_BYTES))
    except FileNotFoundError:
        raise CertificateRefused(
            f"there is no CA yet at {str(path)!r}", "devdns makes it when it first serves https: devdns up"
        ) from None
    except OSError as error:
        raise CertificateRefused(f"CA file {str(path)!r} cannot be read: {error.strerror}") from None
    if len(found) != 1:
        raise CertificateRefused(f"CA file {str(path)!r} holds {len(found)} certificates, not one")
    return Certificate(found[0])


def holds(bundle: Path, certificate: Certificate) -> bool:
    """True where the PEM file `bundle` has this certificate in it; raises OSError."""
    return certificate.der in in_pem(read_regular(bundle, LONGEST_BUNDLE))
