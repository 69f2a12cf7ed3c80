import tempfile
from pathlib import Path

import pytest


@pytest.fixture
def tmp_path():
    """A folder that the unprivileged children of a root supervisor may walk to, as a project's folder is."""
    with tempfile.TemporaryDirectory(prefix="devdns-") as name:
        Path(name).chmod(0o755)
        yield Path(name).resolve()
