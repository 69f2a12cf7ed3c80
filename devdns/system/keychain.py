"""The system keychain of macOS: the commands that trust a CA, take it back and list what is there. Pure."""

from __future__ import annotations

from devdns.system.certificate import Certificate
from devdns.system.trust_stores import KEYCHAIN

Command = tuple[str, ...]


def add(certificate: str) -> tuple[Command, ...]:
    """Trusts the CA in a PEM file, for the whole machine and for servers (TLS) only; root's."""
    settings = ("-d", "-r", "trustRoot", "-p", "ssl", "-k", KEYCHAIN)
    return (("security", "add-trusted-cert", *settings, certificate),)


def remove(certificate: str, thumbprint: str) -> tuple[Command, ...]:
    """Takes the settings of trust back, and the certificate out of the keychain; root's."""
    return (
        ("security", "remove-trusted-cert", "-d", certificate),
        ("security", "delete-certificate", "-Z", thumbprint, KEYCHAIN),
    )


def listing() -> Command:
    """Lists every certificate in the keychain with its hashes."""
    return ("security", "find-certificate", "-a", "-Z", KEYCHAIN)


def listed(said: str, certificate: Certificate) -> bool:
    """True where the listing has a line `SHA-256 hash: ...` of this certificate."""
    hashes = {line.partition(":")[2].strip().lower() for line in said.splitlines() if line.startswith("SHA-256 hash")}
    return certificate.fingerprint in hashes
