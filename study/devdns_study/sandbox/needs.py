"""What a machine must have for the tasks and approaches of a study."""

from __future__ import annotations

import shutil

from devdns_study.instrument import card
from devdns_study.sandbox import containers


def missing(tasks: tuple[str, ...], approaches: tuple[str, ...], image: str) -> list[str]:
    """What this machine lacks for a study with these tasks and approaches, in words."""
    lacks = [
        f"{name} needs {reason}"
        for name, reason in [("approach nginx", _no_nginx())]
        if reason and "nginx" in approaches
    ]
    if any(card(task).needs == "docker" for task in tasks) and (reason := containers.missing(image)):
        lacks.append(f"task restarted needs a Docker Engine: {reason}")
    return lacks


def _no_nginx() -> str:
    return "" if shutil.which("nginx") else "nginx, which is not installed"
