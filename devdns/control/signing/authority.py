"""The local CA in memory: a certificate and its key, what it may sign for, and the leaves it signs. No files here."""

from __future__ import annotations

from collections.abc import Iterable

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from devdns.control.signing import profile
from devdns.core.errors import NameRefused
from devdns.core.leaves import Leaf
from devdns.core.names import Zones, canonical

CURVE = ec.SECP256R1()
LAST_DAYS = 30 * 86_400.0  # of a CA: a leaf signed then would not live as long as it should


class Unfit(Exception):
    """A certificate and key that are no CA of ours: why, in words."""


class Authority:
    """A CA that signs leaves for names of its `zones`."""

    def __init__(self, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
        self._certificate = certificate
        self._key = key
        self.zones = profile.zones_of(certificate)
        self.until = certificate.not_valid_after_utc.timestamp()
        self.fingerprint = certificate.fingerprint(hashes.SHA256()).hex(":").upper()

    def __repr__(self) -> str:
        return f"Authority({', '.join(self.zones)}, {self.fingerprint[:11]})"

    @classmethod
    def new(cls, zones: Iterable[str], now: float) -> Authority:
        """A CA with a key of its own, from `now` (Unix seconds) on."""
        key = ec.generate_private_key(CURVE)
        return cls(profile.ca(key, zones, now), key)

    @classmethod
    def read(cls, certificate: bytes, key: bytes) -> Authority:
        """From PEM; raises `Unfit` for what is torn, does not belong together, or is no CA of ours."""
        try:
            found = x509.load_pem_x509_certificate(certificate)
        except ValueError:
            raise Unfit("ca.pem holds no certificate") from None
        try:
            private = load_pem_private_key(key, None)
        except (ValueError, TypeError):
            raise Unfit("ca.key holds no key") from None
        if not isinstance(private, ec.EllipticCurvePrivateKey) or private.public_key() != found.public_key():
            raise Unfit("ca.key is not the key of ca.pem")
        authority = cls(found, private)
        if not authority.zones or not _signed_itself(found):
            raise Unfit("ca.pem is no CA that devdns made")
        return authority

    def pem(self) -> bytes:
        """The certificate, as clients are to trust it."""
        return self._certificate.public_bytes(Encoding.PEM)

    def key_pem(self) -> bytes:
        """The key: for the file of it, and for nobody else."""
        return _private(self._key)

    def unfit(self, zones: Iterable[str], now: float) -> str:
        """Why it cannot sign for these zones from `now` on, in words; empty where it can."""
        missing = [zone for zone in zones if Zones(self.zones).of(zone) is None]
        if missing:
            return f"it may not sign for {', '.join(missing)}"
        return "it is at its end" if now > self.until - LAST_DAYS else ""

    def leaf(self, names: tuple[str, ...], now: float) -> Leaf:
        """A leaf with a key of its own for names below the zones; what the CA may not sign for, no client would take."""
        key = ec.generate_private_key(CURVE)
        certificate = profile.leaf(key, names, self._certificate, self._key, now)
        return Leaf(
            names,
            certificate.public_bytes(Encoding.PEM).decode("ascii"),
            _private(key).decode("ascii"),
            certificate.not_valid_after_utc.timestamp(),
        )


def zones_of_ca(der: bytes) -> tuple[str, ...]:
    """The zones that a CA of ours may sign for; empty for any other one, such as one that somebody put in its place."""
    try:
        found = x509.load_der_x509_certificate(der)
        zones = profile.zones_of(found)
        ours = _signed_itself(found) and all(canonical(zone) == zone for zone in zones)
    except (ValueError, NameRefused):
        return ()
    return zones if ours else ()


def _private(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _signed_itself(certificate: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(certificate)
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True
