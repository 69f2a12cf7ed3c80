"""The hosts file as many change it: read and replaced under a lock, and whole whatever happens to us or to the disk.

Renaming is how it is replaced, and who writes then is never half seen. Where the file is a mount of its own (a container) it is
written in place, after a copy of both its old and its new text lies beside it: whoever takes the lock next puts right what a
killed writer left.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shutil
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

from devdns.core.plain_file import read_regular
from devdns.system.files import FRESH, sync_folder, write_in_place
from devdns.system.hosts import torn

Change = Callable[[bytes], bytes]
SAFE = ".devdns-safe"
ATTEMPTS = 100
HEAD = struct.Struct("<QQ")


def change(path: Path, how: Change) -> bool:
    """Replaces the text by `how(text)` and says whether that is another one. Links are followed.

    Raises OSError, with the file as it was, when there is no room or no permission.
    """
    real = path.resolve()
    with _locked(real) as file:
        _put_right(real)
        for _ in range(ATTEMPTS):
            seen, old = _stamp(real), read_regular(real)
            new = how(old)
            if new == old:
                return False
            if _replace(real, file, seen, old, new):
                return True
    raise OSError(errno.EBUSY, "somebody else keeps changing it", str(path))


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[int]:
    """A descriptor of the file with its lock; the file of that name, and not one that was just replaced."""
    while True:
        file = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            if _is(file, path):
                yield file
                return
        finally:
            os.close(file)


def _is(file: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file), path.stat())
    except FileNotFoundError:  # who replaces it does that in two steps
        return False


def _stamp(path: Path) -> tuple[int, int, int, int]:
    found = path.stat()
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def _replace(path: Path, file: int, seen: tuple[int, int, int, int], old: bytes, new: bytes) -> bool:
    """False when somebody without our lock wrote since `seen`; then nothing was done."""
    fresh = path.with_name(f".{path.name}{FRESH}")
    _spell(fresh, new)
    try:
        shutil.copystat(path, fresh)
        os.utime(fresh)
        found = os.fstat(file)
        os.chown(fresh, found.st_uid, found.st_gid)
        if _stamp(path) != seen:
            fresh.unlink()
            return False
        fresh.rename(path)  # from here on the lock is the next writer's, and so is the name of the new file
    except OSError as error:
        fresh.unlink(missing_ok=True)
        if error.errno != errno.EBUSY:
            raise
        _in_place(path, old, new)
    sync_folder(path.parent)
    return True


def _in_place(path: Path, old: bytes, new: bytes) -> None:
    safe = path.with_name(f".{path.name}{SAFE}")
    _spell(safe, HEAD.pack(len(old), len(new)) + old + new)
    write_in_place(path, new)
    safe.unlink()


def _put_right(path: Path) -> None:
    """Finishes what a killed writer began in place; what somebody else wrote since stays. Its new file goes."""
    path.with_name(f".{path.name}{FRESH}").unlink(missing_ok=True)
    safe = path.with_name(f".{path.name}{SAFE}")
    with contextlib.suppress(FileNotFoundError):
        kept = read_regular(safe)
        if len(kept) >= HEAD.size and len(kept) == HEAD.size + sum(HEAD.unpack_from(kept)):
            ends = HEAD.size + HEAD.unpack_from(kept)[0]
            old, new = kept[HEAD.size : ends], kept[ends:]
            if torn(read_regular(path), old, new):
                write_in_place(path, new)
        safe.unlink()


def _spell(path: Path, content: bytes) -> None:
    """A new file with this content, on the disk; none when there is no room."""
    path.unlink(missing_ok=True)
    try:
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "wb") as file:  # noqa: PTH123 - a descriptor, not a path
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        path.unlink(missing_ok=True)
        raise
