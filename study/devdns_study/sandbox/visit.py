"""`./visit NAME...` in a scene's folder: what a client of this approach gets when it asks for the service."""

from __future__ import annotations

import sys
from pathlib import Path

from devdns_study.sandbox.scene import SERVICES, kept
from devdns_study.sandbox.ways import WAYS


def main(folder: Path, names: list[str]) -> int:
    """Prints what comes for each name, all services without one; 0 when each was a page."""
    scene = kept(folder)
    if scene is None or not set(names) <= set(SERVICES):
        sys.stderr.write(f"visit: one of {', '.join(SERVICES)}\n")
        return 2
    way, code = WAYS[scene.approach](folder, scene.front), 0
    for name in names or SERVICES:
        came = way.reach(name)
        sys.stdout.write(f"{name}: {came}\n")
        code |= not came.startswith("hello from ")
    return code


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
