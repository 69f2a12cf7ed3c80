"""What `devdns system` changes, under many kills: the long versions of tests/e2e/system and of the hosts file's torture."""

from __future__ import annotations

import subprocess

import pytest
from support.hosts_torture import foreign, torture
from support.parts import need, need_root
from support.system_kills import killed

pytestmark = [pytest.mark.evidence, pytest.mark.timeout(1200)]
KILLS, CHANGES = 200, 500


def test_runs_killed_at_random_instants_are_finished_or_taken_back():
    counts = killed(KILLS, seed=9, bound=1000)
    print(f"\n{counts}")
    assert counts["killed"] == counts["finished"] + counts["undone"] == KILLS
    assert counts["half"]


@pytest.mark.parametrize("mounted", [False, True], ids=["renamed", "in place"])
@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["LF", "CRLF"])
def test_two_writers_that_are_killed_again_and_again(tmp_path, mounted, end):
    (tmp_path / "etc").mkdir()
    path = tmp_path / "etc" / "hosts"
    path.write_bytes(b"")
    if not mounted:
        torture(path, foreign(400, end), changes=CHANGES, kills=50)
        return
    need("mount")
    need_root("a mount")
    (tmp_path / "hosts").write_bytes(b"")
    subprocess.run(["mount", "--bind", str(tmp_path / "hosts"), str(path)], check=True, timeout=10)
    try:
        torture(path, foreign(400, end), changes=CHANGES, kills=50)
    finally:
        subprocess.run(["umount", str(path)], check=True, timeout=10)
