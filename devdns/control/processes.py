"""The processes of this devdns as the supervisor wrote them down, with what each holds in memory."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from devdns.core.plain_file import read_regular

RECORD = Path("supervisor.json")


def record() -> dict[str, Any]:
    """What `supervisor.json` says; empty without a supervisor (in a container, in tests)."""
    try:
        found = json.loads(read_regular(RECORD))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def listeners(found: dict[str, Any]) -> dict[str, list[tuple[str, int]]]:
    """The addresses in the record, by role (`dns`, `http`)."""
    listed = found.get("listeners")
    try:
        return {role: [(str(host), int(port)) for host, port in each] for role, each in dict(listed or {}).items()}
    except (TypeError, ValueError, AttributeError):  # somebody else wrote it
        return {}


def running(found: dict[str, Any]) -> list[dict[str, Any]]:
    """One row per process: name, pid, resident bytes (None where the system does not tell), restarts and state."""
    rows = found.get("processes")
    return [_running(each) for each in (rows if isinstance(rows, list) else []) if isinstance(each, dict)]


def _running(row: dict[str, Any]) -> dict[str, Any]:
    pid, restarts = row.get("pid"), row.get("restarts")
    pid = pid if isinstance(pid, int) else None
    return {
        "name": str(row.get("name")),
        "pid": pid,
        "rss": resident(pid) if pid else None,
        "restarts": restarts if isinstance(restarts, int) else 0,
        "state": str(row.get("state")),
    }


def resident(pid: int) -> int | None:
    """Resident memory in bytes by /proc (Linux), or None."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_bytes().split()[1])
    except (OSError, ValueError, IndexError):
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")
