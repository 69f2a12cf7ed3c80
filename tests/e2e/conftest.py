"""Which end-to-end tests run beside the others: long ones in rooms of their own, which need no port or engine of this machine's."""

from pathlib import Path

import pytest

APART = {"bare_root", "bench", "compose", "doctor", "study", "system", "trust"}
HERE = Path(__file__).parent


@pytest.hookimpl(tryfirst=True)  # xdist reads the groups when its own turn comes
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Two workers at most, since a group is one worker's: all that count on the machine's being theirs follow one another."""
    for item in items:
        if HERE in item.path.parents:
            folder = item.path.relative_to(HERE).parts[0]
            item.add_marker(pytest.mark.xdist_group("apart" if folder in APART else "together"))
