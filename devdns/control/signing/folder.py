"""`ca.pem` and `ca.key` in the state folder: made on first need, read again after, another one where the zones are other ones.

The key is for its owner alone: 0600, made anew (O_EXCL), never followed through a link, in a folder that nobody else writes to.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import structlog

from devdns.control.signing.authority import Authority, Unfit
from devdns.core.errors import UsageRefused

CERTIFICATE, KEY = "ca.pem", "ca.key"
MOST_BYTES = 1 << 16
LOCK_BOUND = 5.0
MEND = "remove ca.pem and ca.key there; the next start makes another CA, to be trusted with devdns trust"

log = structlog.get_logger()


def load(zones: Iterable[str], now: float, folder: Path = Path()) -> Authority:
    """The CA of this folder for these zones; made where there is none, or where the one there may not sign for them.

    Raises `UsageRefused` for a pair that is torn, open to others or not ours: a key is not thrown away unasked.
    """
    names = tuple(zones)
    with _held(folder):
        found = _read(folder)
        why = found.unfit(names, now) if found else ""
        if found and not why:
            return found
        made = Authority.new(names, now)
        if found:
            aside = f"ca-{found.fingerprint[:11].replace(':', '').lower()}.pem"
            _write(folder / aside, found.pem(), 0o644)  # to take it out of the trust stores by
            log.warning("another CA takes its place", reason=why, old=aside, mend="devdns trust")
        _write(folder / KEY, made.key_pem(), 0o600)
        _write(folder / CERTIFICATE, made.pem(), 0o644)
    log.info("CA made", fingerprint=made.fingerprint, zones=", ".join(names))
    return made


@contextlib.contextmanager
def _held(folder: Path) -> Iterator[None]:
    """One at a time: whoever comes second finds what the first one made. The folder must be ours alone to write to."""
    facts = folder.stat()
    if facts.st_uid != os.geteuid() or facts.st_mode & 0o022:
        raise _refused(folder, "others can write there, so no CA key is kept", f"chmod 700 {folder.resolve()}")
    lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        _lock(lock, folder)
        yield
    finally:
        os.close(lock)


def _lock(lock: int, folder: Path) -> None:
    until = time.monotonic() + LOCK_BOUND
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            if time.monotonic() > until:
                raise _refused(folder, "another program holds the folder locked", "try again") from None
            time.sleep(LOCK_BOUND / 500)
        else:
            return


def _read(folder: Path) -> Authority | None:
    certificate, key = _bytes(folder, CERTIFICATE), _bytes(folder, KEY, private=True)
    if certificate is None and key is None:
        return None
    if certificate is None or key is None:
        raise _refused(folder, f"{KEY if key is None else CERTIFICATE} is missing")
    try:
        return Authority.read(certificate, key)
    except Unfit as unfit:
        raise _refused(folder, str(unfit)) from None


def _bytes(folder: Path, name: str, *, private: bool = False) -> bytes | None:
    """The bytes of a plain file of ours, None where there is none; raises `UsageRefused` for anything else of that name."""
    try:
        descriptor = os.open(folder / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        what = "is a link" if error.errno == errno.ELOOP else f"cannot be read: {(error.strerror or '').lower()}"
        raise _refused(folder, f"{name} {what}") from None
    try:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode) or facts.st_uid != os.geteuid():
            raise _refused(folder, f"{name} is no plain file of this user")
        if private and facts.st_mode & 0o077:
            raise _refused(folder, f"others could read {name}")
        return os.read(descriptor, MOST_BYTES)
    finally:
        os.close(descriptor)


def _write(path: Path, data: bytes, mode: int) -> None:
    """Puts a file in place, whole or not at all."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        fresh.unlink(missing_ok=True)
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
        with open(descriptor, "wb") as file:  # noqa: PTH123 - a descriptor, not a path
            file.write(data)
            file.flush()
            os.fsync(descriptor)
        fresh.replace(path)
    except OSError as error:
        raise UsageRefused(f"{str(path.absolute())!r} cannot be made: {error.strerror}") from None


def _refused(folder: Path, why: str, mend: str = MEND) -> UsageRefused:
    return UsageRefused(f"the CA in {str(folder.resolve())!r} cannot be used: {why}", mend)
