"""Keeps a process from reading files in one folder, for good: Linux, landlock(7). Elsewhere, and on kernels before 5.13, nothing.

The parsers of network bytes run as the user who owns the state folder, and so could read the CA's key in it. Landlock also
keeps them from the memory of a process that may do more (ptrace). Sockets and files opened for writing are not touched.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

#: System calls, the same numbers on every architecture since they were added together.
CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
PATH_BENEATH = 1
READ_FILE = 1 << 2
PR_SET_NO_NEW_PRIVS = 38
#: Beside the way to the folder. More would be slow to permit one by one.
MOST_ENTRIES = 20_000


class Beneath(ctypes.Structure):
    """struct landlock_path_beneath_attr (linux/landlock.h)."""

    _pack_ = 1
    _fields_ = (("allowed_access", ctypes.c_uint64), ("parent_fd", ctypes.c_int32))


def forbid_reading(folder: Path) -> bool:
    """From now on no file in `folder` can be opened for reading; False where the system knows no such thing.

    What is permitted has to be listed, as Landlock knows no exception: all that stands beside the way to the folder now. What
    is put right beside that way later cannot be read either; below what is there, everything can.
    """
    if sys.platform != "linux":
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    handled = ctypes.c_uint64(READ_FILE)
    ruleset = libc.syscall(CREATE_RULESET, ctypes.byref(handled), ctypes.sizeof(handled), 0)
    if ruleset < 0:
        return False
    try:
        for count, place in enumerate(beside(folder.resolve())):
            if count > MOST_ENTRIES:
                return False
            _permit(libc, ruleset, place)
        libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)  # Landlock asks for it
        return bool(libc.syscall(RESTRICT_SELF, ruleset, 0) == 0)
    finally:
        os.close(ruleset)


def beside(folder: Path) -> Iterator[Path]:
    """What stands beside the way from the root to `folder`; nothing of a folder on it that cannot be listed."""
    on_the_way = folder
    for above in folder.parents:
        with suppress(OSError):
            for name in os.listdir(above):  # noqa: PTH208 - names are enough, of thousands
                if name != on_the_way.name:
                    yield above / name
        on_the_way = above


def _permit(libc: ctypes.CDLL, ruleset: int, place: Path) -> None:
    """Permits to read `place` and all below. A link is none of it: what it leads to is permitted where it stands."""
    with suppress(OSError):
        descriptor = os.open(place, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
        rule = Beneath(READ_FILE, descriptor)
        libc.syscall(ADD_RULE, ruleset, PATH_BENEATH, ctypes.byref(rule), 0)
        os.close(descriptor)
