"""What a machine must have for the tasks and approaches of a study."""

from __future__ import annotations

import shutil

from devdns_study.instrument import card
from devdns_study.sandbox import containers
from devdns_study.sandbox.containers import Lack


def missing(tasks: tuple[str, ...], approaches: tuple[str, ...], image: str) -> list[Lack]:
    """What this machine lacks for a study with these tasks and approaches, in words."""
    lacks = []
    if "nginx" in approaches and shutil.which("nginx") is None:
        lacks.append(Lack("approach nginx needs nginx, which is not installed", "install it"))
    if any(card(task).needs == "docker" for task in tasks) and (lack := containers.missing(image)):
        lacks.append(Lack(f"task restarted needs a Docker Engine: {lack.what}", lack.mend))
    return lacks
