"""Unix sockets as targets: any but devdns's own, whatever path leads to them (a symlink, a hard link, `..`).

Through the control socket every web page would be the user, because a proxy that runs as the user has the user's credentials.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

NAMES = ("control.sock", "snapshots.sock", "leaves.sock", "web.sock")


class Forbidden(Exception):
    """A target that is one of devdns's own sockets."""


@contextmanager
def dialled(path: str, ours: tuple[str, ...]) -> Iterator[str]:
    """A path that leads to what `path` leads to now, and was found to be none of `ours`; raises `Forbidden` or `OSError`.

    Linux holds what was looked at open meanwhile, so that nobody can put another socket there between the look and the connect.
    """
    if not hasattr(os, "O_PATH"):
        _refuse(path, os.stat(path), ours)  # noqa: PTH116 # with os.fstat below
        yield path
        return
    held = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        _refuse(path, os.fstat(held), ours)
        yield f"/proc/self/fd/{held}"
    finally:
        os.close(held)


def siblings(web: str) -> tuple[str, ...]:
    """The paths of devdns's own sockets, by the one of them that the proxy is told."""
    return (web, *(str(Path(web).with_name(name)) for name in NAMES))


def _refuse(path: str, found: os.stat_result, ours: tuple[str, ...]) -> None:
    for own in ours:
        with suppress(OSError):
            if os.path.samestat(found, os.stat(own)):  # noqa: PTH116 # as samestat wants it
                raise Forbidden(f"unix:{path} is a control socket of devdns")
