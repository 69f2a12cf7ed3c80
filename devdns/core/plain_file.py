"""Reading a file that ought to be a plain one, where somebody may have put a FIFO, a folder or a device in its place."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

MOST = 64 << 20


def read_regular(path: Path, most: int = MOST) -> bytes:
    """The bytes of a plain file, cut off after `most`; raises OSError for anything else, and never waits as for a FIFO."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "not a plain file", str(path))
    with os.fdopen(descriptor, "rb") as file:
        return file.read(most)
