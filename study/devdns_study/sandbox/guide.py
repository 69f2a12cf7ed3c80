"""What a participant finds in the folder: `enter` for the shell, `visit NAME`, what runs where, `reload` for nginx."""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from devdns_study.sandbox.leashed import PYTHON
from devdns_study.sandbox.scene import Scene
from devdns_study.sandbox.service import HOST

GIVEN = ("DEVDNS_STATE_DIR", "DEVDNS_CONFIG")


def write_guide(folder: Path, scene: Scene, environ: Mapping[str, str]) -> None:
    """Writes the files; the scene is as the task's failure left it."""
    (folder / "services.txt").write_text(services_text(scene))
    lines = [f"export {name}={shlex.quote(environ[name])}\n" for name in GIVEN]
    path = f"export PATH={shlex.quote(str(Path(sys.executable).parent))}:{shlex.quote(str(folder))}:$PATH\n"
    (folder / "enter").write_text(
        f"# Read by the shell: . ./enter\n{path}{''.join(lines)}cd {shlex.quote(str(folder))}\n"
    )
    visit = shlex.join([*PYTHON, "devdns_study.sandbox.visit", str(folder)])
    _script(folder / "visit", f'exec {visit} "$@"')
    if scene.approach == "nginx":
        nginx = shlex.join([shutil.which("nginx") or "nginx", "-p", str(folder), "-c", str(folder / "nginx.conf")])
        _script(folder / "reload", f"{nginx} -t && exec {nginx} -s reload")


def services_text(scene: Scene) -> str:
    """What runs where, as a person would see it in a list of processes or of containers."""
    rows = [
        f"{name:<6} " + (f"listens on {HOST}:{service.port}" if service.up else "is not running")
        for name, service in scene.services.items()
    ]
    return "\n".join([*rows, ""])


def commands(folder: Path) -> str:
    """What the participant types first."""
    return f"cd {shlex.quote(str(folder))}\n. ./enter\n./visit shop"


def _script(path: Path, line: str) -> None:
    path.write_text(f"#!/bin/sh\n{line}\n")
    path.chmod(0o755)
