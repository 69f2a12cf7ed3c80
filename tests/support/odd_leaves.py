"""Leaves that our CA never signs, signed with its key all the same: what a thief of the key would make."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID

from devdns.control.signing.authority import Authority

APP = x509.DNSName("app.dev.test")
#: What a leaf is for, by what clients are to make of it: the first is honest, the last by a CA that nobody trusts.
NAMES: dict[str, tuple[x509.GeneralName, ...]] = {
    "app": (APP, x509.DNSName("sealed.dev.test")),
    "example": (x509.DNSName("example.com"),),
    "address": (x509.IPAddress(ip_address("8.8.8.8")),),
    "mail": (APP, x509.RFC822Name("someone@example.com")),
    "uri": (APP, x509.UniformResourceIdentifier("https://example.com/")),
    "stranger": (APP,),
}


def write_leaves(state: Path, folder: Path) -> dict[str, tuple[Path, Path]]:
    """Chain and key files for each of `NAMES`, signed by the CA of a state folder."""
    stranger = Authority.new(["dev.test"], time.time())
    issuers = {"stranger": (stranger.pem(), stranger.key_pem())}
    ours = (state / "ca.pem").read_bytes(), (state / "ca.key").read_bytes()
    return {kind: _written(folder / kind, names, *_loaded(*issuers.get(kind, ours))) for kind, names in NAMES.items()}


def _loaded(certificate: bytes, key: bytes) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    issuer = x509.load_pem_x509_certificate(certificate)
    signer = load_pem_private_key(key, None)
    assert isinstance(signer, ec.EllipticCurvePrivateKey)
    return issuer, signer


def _written(
    stem: Path, names: tuple[x509.GeneralName, ...], issuer: x509.Certificate, signer: ec.EllipticCurvePrivateKey
) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([]))
        .issuer_name(issuer.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=30))
        .add_extension(x509.SubjectAlternativeName(names), critical=True)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(signer, hashes.SHA256())
    )
    chain, private = stem.with_suffix(".crt"), stem.with_suffix(".key")
    chain.write_bytes(certificate.public_bytes(Encoding.PEM))
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return chain, private
