"""NSS stores (Firefox profiles, Chromium): read as the SQLite files they are, without their tools; changed by certutil only.

`cert9.db` has a table `nssPublic` of PKCS #11 objects, a row each; its columns are the numbers of the attributes in
hexadecimal (PKCS #11 section 4, and NSS's own `pkcs11n.h`).
"""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from msgspec import Struct

CERTS, KEYS, MODULES = "cert9.db", "key4.db", "pkcs11.txt"
SECONDS = 1.0  # a browser that is just writing keeps its lock for less
CERTIFICATE = b"\0\0\0\1"  # CKO_CERTIFICATE
TRUST = b"\xce\x53\x43\x53"  # CKO_NSS_TRUST
TRUSTED_DELEGATOR = b"\xce\x53\x43\x52"  # CKT_NSS_TRUSTED_DELEGATOR: a CA trusted to sign servers
CERTIFICATES_SQL = "SELECT a3, a11 FROM nssPublic WHERE a0 = ?"  # CKA_LABEL, CKA_VALUE by CKA_CLASS
TRUST_SQL = "SELECT ace536358 FROM nssPublic WHERE a0 = ? AND ace5363b4 = ?"  # server trust by CKA_CERT_SHA1_HASH


class Unreadable(Exception):
    """A store that cannot be read now: why, in words."""


class Entry(Struct, frozen=True):
    """A certificate in an NSS store: what it is called there, and its DER bytes."""

    nickname: str
    der: bytes


def entries(folder: Path) -> tuple[Entry, ...]:
    """Every certificate in the store; raises `Unreadable`."""
    with _opened(folder / CERTS) as store:
        rows = store.execute(CERTIFICATES_SQL, (CERTIFICATE,))
        return tuple(Entry(bytes(label or b"").decode("utf-8", "replace"), bytes(der or b"")) for label, der in rows)


def trusts(folder: Path, der: bytes) -> bool:
    """True where this certificate is in the store, trusted to sign certificates of servers; raises `Unreadable`."""
    digest = hashlib.sha1(der, usedforsecurity=False).digest()
    with _opened(folder / CERTS) as store:
        known = any(bytes(value or b"") == der for _, value in store.execute(CERTIFICATES_SQL, (CERTIFICATE,)))
        return known and (TRUSTED_DELEGATOR,) in store.execute(TRUST_SQL, (TRUST, digest)).fetchall()


def is_empty(folder: Path) -> bool:
    """True for a store without any certificate, key or password in it; raises `Unreadable`."""
    with _opened(folder / CERTS) as store:
        (public,) = store.execute("SELECT count(*) FROM nssPublic").fetchone()
    with _opened(folder / KEYS) as store:
        (private,) = store.execute("SELECT count(*) FROM nssPrivate").fetchone()
    return not public and not private


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    """Read-only, with a bound on waiting for a writer; never creates a file. Raises `Unreadable`."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise Unreadable(f"{path} is not a plain file")
        connection = sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, timeout=SECONDS)
        with contextlib.closing(connection):
            yield connection
    except OSError as error:
        raise Unreadable(f"{path} cannot be read: {error.strerror}") from None
    except sqlite3.Error as error:
        raise Unreadable(f"{path} cannot be read: {error}") from None


def add(folder: str, nickname: str) -> tuple[str, ...]:
    """The command that trusts the CA on its standard input (PEM) to sign servers, and nothing else."""
    return ("certutil", "-A", "-d", f"sql:{folder}", "-n", nickname, "-t", "C,,")


def delete(folder: str, nickname: str) -> tuple[str, ...]:
    """The command that removes the certificate of that name."""
    return ("certutil", "-D", "-d", f"sql:{folder}", "-n", nickname)


def create(folder: str) -> tuple[tuple[str, ...], ...]:
    """The commands that make an empty store, closed to others, as the browser itself would."""
    parent = str(Path(folder).parent)
    return (
        ("mkdir", "-p", "-m", "700", parent, folder),
        ("certutil", "-N", "-d", f"sql:{folder}", "--empty-password"),
    )
