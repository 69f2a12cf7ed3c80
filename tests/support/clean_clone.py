"""The tree as a stranger gets it: only what git keeps (or would keep), without environments, caches and build results."""

import shutil
import subprocess
from pathlib import Path

from support.source import ROOT


def clean_clone(folder: Path) -> Path:
    """Copies the tree into `folder`, which must not exist. Work that is not committed yet comes along."""
    listed = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, capture_output=True, text=True, check=True).stdout.split("\0")
    for name in filter(None, names):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    return folder
