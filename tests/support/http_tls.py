"""Certificates of a service, made by openssl for the run: an authority of its own, or self-signed."""

from __future__ import annotations

import ssl
import subprocess
from pathlib import Path

from support.parts import need


def openssl(*arguments: str) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True, timeout=20)


def certificate(folder: Path, name: str, names: str = "DNS:localhost", days: int = 2) -> tuple[Path, Path]:
    """A self-signed certificate and its key; `names` are its subject alternative names."""
    need("openssl")
    cert, key = folder / f"{name}.pem", folder / f"{name}.key"
    made = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", f"/CN={name}"]
    openssl(
        "req", "-x509", *made, "-days", str(days), "-addext", f"subjectAltName={names}", "-keyout", key, "-out", cert
    )
    return cert, key


def signed_by(authority: tuple[Path, Path], name: str, names: str = "DNS:localhost") -> tuple[Path, Path]:
    """A certificate that `authority` (its certificate and key) has signed, and its key, beside it."""
    cert, key = (authority[0].with_name(f"{name}.{end}") for end in ("pem", "key"))
    made = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", f"/CN={name}", "-days", "2"]
    extensions = ["-addext", f"subjectAltName={names}", "-addext", "basicConstraints=critical,CA:FALSE"]
    openssl(
        "req", "-x509", "-CA", authority[0], "-CAkey", authority[1], *made, *extensions, "-keyout", key, "-out", cert
    )
    return cert, key


def serving(cert: Path, key: Path, *alpn: str) -> ssl.SSLContext:
    """The settings of a server that shows `cert`."""
    settings = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    settings.load_cert_chain(cert, key)
    if alpn:
        settings.set_alpn_protocols(list(alpn))
    return settings
