"""One machine for all: devdns is installed in it, and runs."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.parts import need
from support.room import Room, room
from support.stack import open_folder
from support.waiting import wait_until


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    with open_folder() as folder:
        yield folder


@pytest.fixture(scope="session")
def machine() -> Iterator[Room]:
    """Installed and running, on a system with a plain resolv.conf."""
    need("busybox", "curl")
    with room() as made:
        (made.folder / "home").mkdir()
        made.devdns("system", "install", "--yes", "--service", "off")
        with made.up():
            wait_until(lambda: made.finds("api.dev.test"), what="the name")
            yield made
