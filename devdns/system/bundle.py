"""A file with all CAs that the system trusts, and ours: what `SSL_CERT_FILE` needs, which stands in the system's stead."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from devdns.core.errors import DevdnsError
from devdns.core.plain_file import read_regular
from devdns.system.certificate import LONGEST_BUNDLE, Certificate, in_pem

NAME = "ca-bundle.pem"
MODE = 0o644

#: Where systems keep the CAs they trust as one PEM file: Debian, Fedora, openSUSE, Alpine and macOS.
SYSTEM_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)


def bundle(state_dir: Path, certificate: Certificate, known: tuple[str, ...] = SYSTEM_BUNDLES) -> Path:
    """The path of a bundle with ours in it: the system's own where it trusts us, else one of ours, made or made anew.

    Raises `DevdnsError` where it cannot be written, or where the system has none to begin with.
    """
    system = next((Path(each) for each in known if Path(each).is_file()), None)
    if system is None:
        raise DevdnsError("this system has no bundle of CAs", f"none of {', '.join(known)} is there")
    try:
        text = read_regular(system, LONGEST_BUNDLE)
        if certificate.der in in_pem(text):
            return system
        return _written(state_dir / NAME, text + b"\n" + certificate.pem)
    except OSError as error:
        raise DevdnsError(f"CA bundle {error.filename!r}: {error.strerror}") from None


def _written(path: Path, text: bytes) -> Path:
    """Replaced whole, and only where it is another: programs that read it now keep what they have."""
    with suppress(OSError):
        if read_regular(path, LONGEST_BUNDLE + len(text)) == text:
            return path
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.unlink(missing_ok=True)
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, MODE), "wb") as file:  # noqa: PTH123 - a descriptor
        file.write(text)
    fresh.replace(path)
    return path
