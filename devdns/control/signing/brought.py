"""A certificate of the user's own (`tls.cert`, `tls.key`): read, checked, and looked at again for its renewal."""

from __future__ import annotations

import os
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from devdns.core.errors import NameRefused, UsageRefused
from devdns.core.leaves import Leaf
from devdns.core.names import Zones, canonical
from devdns.core.plain_file import read_regular

MOST_BYTES = 1 << 20
Signature = tuple[int, ...]


class Brought:
    """The two files. Paths are absolute, or relative to the working directory."""

    def __init__(self, certificate: str, key: str, zones: Zones) -> None:
        self.certificate = certificate
        self.key = key
        self._zones = zones

    def signature(self) -> tuple[Signature, Signature]:
        """Other values when a file is another one; a link is followed."""
        return _signature(self.certificate), _signature(self.key)

    def leaf(self, now: float) -> Leaf:
        """What the files hold, for `now` in Unix seconds; raises `UsageRefused` in one line."""
        chain = self._chain()
        key = self._private()
        own = next((each for each in chain if each.public_key() == key.public_key()), None)
        if own is None:
            raise UsageRefused(f"tls.key {self.key!r} is not the key of tls.cert {self.certificate!r}")
        until = own.not_valid_after_utc.timestamp()
        if until <= now:
            raise self._refused(f"ended on {own.not_valid_after_utc:%Y-%m-%d}", "renew it")
        ordered = [own, *(each for each in chain if each is not own)]
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        text = "".join(each.public_bytes(Encoding.PEM).decode("ascii") for each in ordered)
        return Leaf(self._names(own), text, private.decode("ascii"), until)

    def _chain(self) -> list[x509.Certificate]:
        try:
            return x509.load_pem_x509_certificates(_bytes("tls.cert", self.certificate))
        except ValueError:
            raise self._refused("holds no certificate in PEM form") from None

    def _private(self) -> PrivateKeyTypes:
        try:
            return load_pem_private_key(_bytes("tls.key", self.key), None)
        except TypeError:
            raise UsageRefused(
                f"tls.key {self.key!r} is locked by a password", "openssl pkey -in OLD -out NEW writes it without"
            ) from None
        except ValueError:
            raise UsageRefused(f"tls.key {self.key!r} holds no key in PEM form") from None

    def _names(self, certificate: x509.Certificate) -> tuple[str, ...]:
        """The names it is for; at least one of them must be below a zone."""
        try:
            found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        except (x509.ExtensionNotFound, ValueError):
            raise self._refused("names no host: clients read subjectAltName only") from None
        names = tuple(dict.fromkeys(filter(None, map(_host, found.get_values_for_type(x509.DNSName)))))
        if not any(self._zones.of(name.removeprefix("*.")) for name in names):
            raise self._refused(
                f"is for {', '.join(names[:5]) or 'no host'}, and for no name in {', '.join(self._zones.names)}"
            )
        return names

    def _refused(self, why: str, mend: str = "") -> UsageRefused:
        return UsageRefused(f"tls.cert {self.certificate!r} {why}", mend)


def _host(name: str) -> str:
    """A name of a certificate as a canonical host, `*.` in front kept; empty for what no client would ask for."""
    try:
        bare = canonical(name.removeprefix("*."))
    except NameRefused:
        return ""
    return f"*.{bare}" if name.startswith("*.") else bare


def _bytes(setting: str, path: str) -> bytes:
    try:
        return read_regular(Path(path), MOST_BYTES)
    except OSError as error:
        why = (error.strerror or "it is none").lower()
        raise UsageRefused(f"{setting} {path!r} cannot be read: {why}") from None


def _signature(path: str) -> Signature:
    try:
        facts = os.stat(path)  # noqa: PTH116 - numbers out of a string
    except OSError as error:
        return (error.errno or 0,)
    return facts.st_mtime_ns, facts.st_size, facts.st_ino, facts.st_dev, facts.st_mode
