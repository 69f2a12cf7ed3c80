"""Certificates for tests: what a thief of the CA's key could sign, what a user brings, and OpenSSL's verdict on it."""

import datetime
import subprocess
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

DAY = datetime.timedelta(days=1)
KINDS = {
    "dns": x509.DNSName,
    "ip": lambda text: x509.IPAddress(ip_address(text)),
    "email": x509.RFC822Name,
    "uri": x509.UniformResourceIdentifier,
}


def private(key, password=None):
    """A key as PEM."""
    lock = BestAvailableEncryption(password.encode()) if password else NoEncryption()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, lock).decode()


def certificate(key, names, issuer=None, *, days=30.0, common_name=None, usage=ExtendedKeyUsageOID.SERVER_AUTH):
    """A certificate for `kind:text` names; signed by `issuer` (its certificate and key), else by itself."""
    now = datetime.datetime.now(datetime.UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)] if common_name else [])
    found, signer = issuer or (None, key)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(found.subject if found else x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - 60 * DAY)
        .not_valid_after(now + days * DAY)
        .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
    )
    if found:
        identifier = found.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        authority = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)
        builder = builder.add_extension(authority, critical=False)
    if names:
        values = [KINDS[kind](text) for kind, _, text in (name.partition(":") for name in names)]
        builder = builder.add_extension(x509.SubjectAlternativeName(values), critical=not common_name)
    return builder.sign(signer, hashes.SHA256())


def new_key(*, old=False):
    return rsa.generate_private_key(65537, 2048) if old else ec.generate_private_key(ec.SECP256R1())


def pem(found):
    return found.public_bytes(Encoding.PEM).decode()


def misissued(folder, *names, **fields):
    """What a thief of `ca.key` in `folder` would sign: PEM of a certificate for any `kind:text` names, and its key."""
    folder = Path(folder)
    issuer = x509.load_pem_x509_certificate((folder / "ca.pem").read_bytes())
    signer = load_pem_private_key((folder / "ca.key").read_bytes(), None)
    key = new_key()
    return pem(certificate(key, names, (issuer, signer), **fields)), private(key)


def bring(folder, *names, key=None, password=None, **fields):
    """`own.pem` and `own.key` in `folder`, as a user would bring them; returns their paths."""
    key = key or new_key()
    cert, secret = Path(folder) / "own.pem", Path(folder) / "own.key"
    cert.write_text(pem(certificate(key, names, **fields)))
    secret.write_text(private(key, password))
    return str(cert), str(secret)


def openssl_says(ca, chain, *flags):
    """Nothing where OpenSSL takes the certificate of the PEM text `chain` for one of `ca`, else its words."""
    command = ["openssl", "verify", "-x509_strict", "-CAfile", str(ca), *flags]
    ran = subprocess.run(command, input=chain, capture_output=True, text=True, timeout=30, check=False)
    return "" if ran.returncode == 0 else ran.stdout + ran.stderr
