"""Folders for strangers, and the tree as a stranger gets it: only what git keeps (or would keep), without environments, caches and build results."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support.source import ROOT


@contextmanager
def open_folder() -> Iterator[Path]:
    """A temporary folder that every user may enter, unlike pytest's own."""
    with tempfile.TemporaryDirectory(prefix="devdns-test-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def clean_clone(folder: Path) -> Path:
    """Copies the tree into `folder`, which must not exist. Work that is not committed yet comes along."""
    listed = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, capture_output=True, text=True, check=True).stdout.split("\0")
    for name in filter(None, names):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    return folder
