"""The token that lets a web page's or a script's request write through the proxy: a file only its owner can read."""

from __future__ import annotations

import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path

import structlog

from devdns.core.errors import DevdnsError

LENGTH = 32

log = structlog.get_logger()


def load(path: Path) -> str:
    """The token in `path`; a new one is made where there is none, or where others could have read or planted it."""
    if path.is_dir():
        raise DevdnsError(f"{str(path)!r} in the state folder is a folder", "remove it")
    with suppress(FileNotFoundError):
        found = _read(path)
        if found:
            return found
        log.warning("token replaced", path=str(path), reason="others could read or write it, or it is not whole")
        path.unlink()
    return _make(path)


def _read(path: Path) -> str:
    """The token, or empty when the file is not ours alone."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        raise
    except OSError:
        return ""
    with open(descriptor, encoding="ascii", errors="replace") as file:  # noqa: PTH123 # a descriptor, not a path
        facts = os.fstat(descriptor)
        private = stat.S_ISREG(facts.st_mode) and facts.st_uid == os.geteuid() and not facts.st_mode & 0o077
        token = file.read(4 * LENGTH).strip() if private else ""
    return token if len(token) >= LENGTH and token.isalnum() else ""


def _make(path: Path) -> str:
    token = secrets.token_hex(LENGTH)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise DevdnsError(f"cannot make the token file {str(path)!r}: {error.strerror}") from error
    with open(descriptor, "w", encoding="ascii") as file:  # noqa: PTH123 # a descriptor, not a path
        file.write(token + "\n")
    return token
