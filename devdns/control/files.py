"""The routes files attached at run time, remembered in `attached.json` so that a restart of control brings them back."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import msgspec
import structlog

from devdns.core.plain_file import read_regular

RECORD = Path("attached.json")
MAX_PATH = 4096

log = structlog.get_logger()


def read(record: Path = RECORD) -> list[str]:
    """The paths in the record, in the order of attaching; a record that cannot be read is logged and counts as empty."""
    try:
        paths = msgspec.json.decode(read_regular(record), type=list[str])
    except FileNotFoundError:
        return []
    except (OSError, msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        log.warning("attached files forgotten", path=str(record), reason=str(error))
        return []
    return [path for path in paths if path.startswith("/") and "\0" not in path and len(path) <= MAX_PATH]


def write(paths: Iterable[str], record: Path = RECORD) -> None:
    """Replaces the record whole, or leaves it as it was (RFC-less POSIX habit: write aside, sync, rename)."""
    aside = record.with_suffix(".new")
    with aside.open("wb") as file:
        file.write(msgspec.json.encode(list(paths)))
        file.flush()
        os.fsync(file.fileno())
    aside.replace(record)
