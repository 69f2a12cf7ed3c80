"""Files of the machine: looked at, replaced whole, and brought back as they were. The edge under `Write`.

A file is replaced by renaming a finished one over it; where that cannot be, because it is a mount of its own as in a container,
it is written in place. A link is replaced by a file and comes back as a link.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from difflib import unified_diff
from pathlib import Path

from devdns.core.errors import DevdnsError
from devdns.core.plain_file import read_regular
from devdns.system.journal import State, digest

MODE = 0o644
FOLDER_MODE = 0o755
FRESH = ".devdns-new"


def look(path: Path) -> State:
    """What is at `path`; raises `DevdnsError` for what is neither a file nor a link nor nothing."""
    try:
        found = path.lstat()
        if stat.S_ISLNK(found.st_mode):
            link = str(path.readlink())
            return State(link_digest(link), link=link, owner=(found.st_uid, found.st_gid))
        content = read_regular(path)
    except FileNotFoundError:
        return State(folders=tuple(str(each) for each in reversed(path.parents) if not each.exists()))
    except OSError as error:
        raise DevdnsError(f"{str(path)!r} cannot be read: {error.strerror}") from None
    return State(digest(content), content, stat.S_IMODE(found.st_mode), (found.st_uid, found.st_gid))


def link_digest(target: str) -> str:
    """Unlike that of any file with this text."""
    return digest(b"link to " + os.fsencode(target))


def write(path: Path, content: bytes, before: State) -> None:
    """Puts a file there, of the mode and owner of the one before it. Raises OSError, with what was there untouched."""
    for folder in before.folders:
        Path(folder).mkdir(FOLDER_MODE, exist_ok=True)
    is_file = bool(before.digest) and not before.link
    replace(path, content, before.mode & 0o777 if is_file else MODE, before.owner if is_file else None)


def restore(path: Path, before: State) -> None:
    """Brings back what was there, nothing included; the folders that were made for it go where they are empty."""
    fresh = _fresh(path)
    if before.link:
        fresh.symlink_to(before.link)
        os.lchown(fresh, *before.owner)
        fresh.rename(path)
    elif before.digest:
        replace(path, before.content, before.mode & 0o777, before.owner)
    else:
        path.unlink(missing_ok=True)
        for folder in (each for each in path.parents if str(each) in before.folders):
            with contextlib.suppress(OSError):  # somebody else's things are in it
                folder.rmdir()
    with contextlib.suppress(OSError):
        sync_folder(path.parent)


def replace(path: Path, content: bytes, mode: int, owner: tuple[int, int] | None) -> None:
    """The file is the old one or the new one at every instant, on a full disk, too (in place: but for what a crash leaves)."""
    fresh = _fresh(path)
    try:
        with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "wb") as file:  # noqa: PTH123 - a descriptor, not a path
            file.write(content)
            file.flush()
            if owner is not None and owner != (os.geteuid(), os.getegid()):
                os.fchown(file.fileno(), *owner)
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        fresh.rename(path)
    except OSError as error:
        fresh.unlink(missing_ok=True)
        if error.errno not in (errno.EBUSY, errno.EXDEV):
            raise
        write_in_place(path, content)
    sync_folder(path.parent)


def write_in_place(path: Path, content: bytes) -> None:
    """For a file that is a mount of its own. Raises OSError, with the old content put back, when there is no room."""
    with path.open("r+b", buffering=0) as file:
        old = file.read()
        try:
            _overwrite(file.fileno(), content)
        except OSError:
            _overwrite(file.fileno(), old)
            raise


def _overwrite(descriptor: int, content: bytes) -> None:
    done = 0
    while done < len(content):
        done += os.pwrite(descriptor, content[done:], done)
    os.ftruncate(descriptor, len(content))
    os.fsync(descriptor)


def _fresh(path: Path) -> Path:
    """The name of the new file until it takes the old one's place; what a killed run left there is removed."""
    fresh = path.with_name(f".{path.name}{FRESH}")
    fresh.unlink(missing_ok=True)
    return fresh


def sync_folder(folder: Path) -> None:
    """A rename is on the disk only when its folder is."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def acting(user: tuple[int, int] | None) -> Iterator[None]:
    """What the block does to files, root does as that user, whose planted links can then reach nothing more."""
    if user is None or os.geteuid() != 0:
        yield
        return
    groups = os.getgroups()
    os.setgroups([])
    os.setegid(user[1])
    os.seteuid(user[0])
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(groups)


def refuse_open_link(path: Path, link: str, uid: int) -> None:
    """Raises `DevdnsError` where what a link at `path` leads to is that user's to change, who is not root."""
    target = (path.parent / link).resolve()
    for each in (target, *target.parents) if uid else ():
        with contextlib.suppress(FileNotFoundError):
            found = each.stat()
            if found.st_uid == uid or found.st_mode & 0o002:
                raise DevdnsError(f"the journal would make {str(path)!r} a link to {link!r}, which is not root's alone")


def difference(ours: bytes, now: State, path: str) -> str:
    """From what we wrote to what is there, as a unified diff."""
    theirs = f"link to {now.link}\n".encode() if now.link else now.content
    before, after = (text.decode("utf-8", "backslashreplace").splitlines() for text in (ours, theirs))
    return "\n".join(unified_diff(before, after, f"{path} as devdns wrote it", f"{path} now", lineterm=""))
