"""The processes of this devdns as the supervisor wrote them down, with what each holds in memory."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

RECORD = Path("supervisor.json")


def record() -> dict[str, Any]:
    """What `supervisor.json` says; empty without a supervisor (in a container, in tests)."""
    try:
        found = json.loads(RECORD.read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def listeners(found: dict[str, Any]) -> dict[str, list[tuple[str, int]]]:
    """The addresses in the record, by role (`dns`, `http`)."""
    return {role: [(str(host), int(port)) for host, port in each] for role, each in found.get("listeners", {}).items()}


def running(found: dict[str, Any]) -> list[dict[str, Any]]:
    """One row per process: name, pid, resident bytes (None where the system does not tell), restarts and state."""
    return [
        {
            "name": str(each.get("name")),
            "pid": each.get("pid"),
            "rss": resident(each["pid"]) if each.get("pid") else None,
            "restarts": int(each.get("restarts") or 0),
            "state": str(each.get("state")),
        }
        for each in found.get("processes", [])
    ]


def resident(pid: int) -> int | None:
    """Resident memory in bytes by /proc (Linux), or None."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_bytes().split()[1])
    except (OSError, ValueError, IndexError):
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")
