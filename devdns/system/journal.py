"""The journal of what was changed on a machine: what is to be done is on the disk before it is done, and so is what it was before.

A journal is one JSON file in the state folder, replaced whole each time (written, synced, renamed). An entry is there from
before its step touches anything until it is undone, so that a run that was killed at any instant can be finished or taken back
by the next one. The values of steps are the caller's; this file knows none of them.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import Any, Generic, Literal, Protocol, TypeVar

import msgspec
from msgspec import Struct

from devdns.core.errors import DevdnsError
from devdns.core.plain_file import read_regular

VERSION = 1
MODE = 0o600
Phase = Literal["doing", "done", "undoing"]


class Step(Protocol):
    """One change of the machine, as a value. `key` names the place it changes, unlike those of all other steps."""

    @property
    def key(self) -> str: ...


S = TypeVar("S", bound=Step)


class State(Struct, frozen=True, omit_defaults=True):
    """What is at the place of a step: its digest (empty: nothing is there), and what it takes to bring it back.

    `link` is the target of a symbolic link, `folders` are those that have to be made first, outermost first.
    """

    digest: str = ""
    content: bytes = b""
    mode: int = 0
    owner: tuple[int, int] = (0, 0)
    link: str = ""
    folders: tuple[str, ...] = ()


class Entry(Struct, Generic[S], frozen=True):
    """A step that is being done, is done or is being undone.

    `before` is what was there before us; `was` the digest this doing began with, another one where an older step of ours stood
    there; `after` the digest that it makes.
    """

    step: S
    phase: Phase
    before: State
    was: str
    after: str


class Book(Struct, Generic[S], frozen=True):
    """The file as it is written."""

    version: int
    entries: tuple[Entry[S], ...] = ()


class JournalBroken(DevdnsError):
    """A journal that cannot be read: what is in force on this machine is not known."""


class Journal(Generic[S]):
    """The entries in the order of their doing. `steps` is the type of all steps there are, a union of tagged structs.

    Reading needs no lock. Writing is done inside `held`. `check` hears every entry each time that the file is read, which may be
    another one by then, and raises `DevdnsError` for one that is not to be believed.
    """

    def __init__(self, path: Path, steps: Any, check: Callable[[Entry[S]], None] | None = None) -> None:
        self.path = path
        self._check = check
        self._decoder: msgspec.json.Decoder[Book[S]] = msgspec.json.Decoder(Book[steps])
        self.entries: tuple[Entry[S], ...] = self._read()

    def entry(self, key: str) -> Entry[S] | None:
        """What is known of the step at that place."""
        return next((each for each in self.entries if each.step.key == key), None)

    def put(self, entry: Entry[S]) -> None:
        """Records an entry, in the place of an older one for the same key. It is on the disk when this returns."""
        new = [entry if each.step.key == entry.step.key else each for each in self.entries]
        self._write(tuple(new) if entry in new else (*self.entries, entry))

    def forget(self, key: str) -> None:
        """The step is undone. With the last one the file goes, too."""
        self._write(tuple(each for each in self.entries if each.step.key != key))

    @contextmanager
    def held(self) -> Iterator[None]:
        """Nobody else writes this journal, nor another in its folder, meanwhile; raises `DevdnsError` when somebody does."""
        self._folder = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            try:
                fcntl.flock(self._folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise DevdnsError(
                    f"another devdns changes this machine and holds {str(self.path.parent)!r}", "wait until it is done"
                ) from None
            self.entries = self._read()
            yield
        finally:
            os.close(self._folder)

    def _read(self) -> tuple[Entry[S], ...]:
        try:
            book = self._decoder.decode(read_regular(self.path))
        except FileNotFoundError:
            return ()
        except (OSError, msgspec.MsgspecError) as error:
            why = error.strerror if isinstance(error, OSError) else error
            raise JournalBroken(
                f"journal {str(self.path)!r} cannot be read: {why}", "it says what devdns changed on this machine"
            ) from None
        if book.version != VERSION:
            raise JournalBroken(f"journal {str(self.path)!r} is of version {book.version}", "use a newer devdns")
        if self._check is not None:
            for entry in book.entries:
                self._check(entry)
        return book.entries

    def _write(self, entries: tuple[Entry[S], ...]) -> None:
        """In the folder that was opened, following nothing: root writes into a folder of the user's here."""
        name, fresh = self.path.name, f".{self.path.name}.new"
        with suppress(FileNotFoundError):
            os.unlink(fresh, dir_fd=self._folder)
        if entries:
            self._spell(fresh, msgspec.json.format(msgspec.json.encode(Book(VERSION, entries))) + b"\n")
            os.rename(fresh, name, src_dir_fd=self._folder, dst_dir_fd=self._folder)
        else:
            with suppress(FileNotFoundError):
                os.unlink(name, dir_fd=self._folder)
        os.fsync(self._folder)
        self.entries = entries

    def _spell(self, name: str, text: bytes) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        with open(os.open(name, flags, MODE, dir_fd=self._folder), "wb") as file:  # noqa: PTH123 - a descriptor, not a path
            if os.geteuid() == 0:
                owner = os.fstat(self._folder)
                os.fchown(file.fileno(), owner.st_uid, owner.st_gid)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())


def digest(content: bytes) -> str:
    """SHA-256 in hex, as `sha256sum` prints it."""
    return sha256(content).hexdigest()
