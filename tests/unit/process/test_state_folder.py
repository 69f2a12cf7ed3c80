import os
import stat
import subprocess
import sys

import pytest
from support.parts import need_root
from support.stack import open_folder

from devdns.core.errors import UsageRefused
from devdns.state_folder import StateFolder, hand_over, user_of

HOLD = """
import os, sys
from devdns.state_folder import StateFolder
os.chdir(sys.argv[1])
folder = StateFolder({})
folder.bind()
folder.record("{}")
print(os.geteuid(), os.getegid())
if sys.argv[2:] == ["release"]:
    folder.release()
"""


def held(folder, *words):
    ran = subprocess.run([sys.executable, "-c", HOLD, str(folder), *words], capture_output=True, text=True, check=True)
    return ran.stdout.split()


@pytest.fixture
def folder():
    with open_folder() as parent:
        made = parent / "state"
        made.mkdir(0o700)
        yield made


def test_a_folder_is_held_by_one_and_left_empty_but_for_the_lock(folder, monkeypatch):
    monkeypatch.chdir(folder)
    first = StateFolder({})
    with pytest.raises(UsageRefused, match="another devdns runs"):
        StateFolder({})
    bound = first.bind()
    first.record("{}")
    assert {each.name for each in folder.iterdir()} == {
        "supervisor.lock",
        "supervisor.json",
        "control.sock",
        "snapshots.sock",
        "web.sock",
    }
    for _, sock in bound:
        sock.close()
    first.release()
    assert [each.name for each in folder.iterdir()] == ["supervisor.lock"]


def test_what_root_makes_in_it_belongs_to_the_unprivileged_user(folder):
    need_root("to give a folder away")
    assert held(folder) == ["0", "0"]
    assert {(each.lstat().st_uid, each.lstat().st_gid) for each in (folder, *folder.iterdir())} == {(65534, 65534)}


def test_root_follows_no_link_that_the_unprivileged_user_planted(folder, tmp_path):
    need_root("something to be protected from")
    held(folder, "release")
    precious = tmp_path / "precious"
    precious.write_text("precious")
    (folder / "supervisor.lock").unlink()
    for name in ("supervisor.lock", "token"):
        (folder / name).symlink_to(precious)
    os.link(precious, folder / "routes.json")
    with pytest.raises(subprocess.CalledProcessError):
        held(folder)
    assert (precious.read_text(), precious.stat().st_uid) == ("precious", 0)


def test_a_second_name_of_a_file_is_not_given_away(folder, tmp_path):
    need_root("to give a folder away")
    precious = tmp_path / "precious"
    precious.write_text("precious")
    os.link(precious, folder / "token")
    hand_over(folder, (65534, 65534))
    assert precious.stat().st_uid == 0
    assert folder.stat().st_uid == 65534


def test_a_wide_folder_of_root_stays_roots(folder):
    need_root("to give a folder away")
    folder.chmod(0o1777)
    hand_over(folder, (65534, 65534))
    assert folder.stat().st_uid == 0
    assert stat.S_IMODE(folder.stat().st_mode) == 0o1777


def test_whose_the_folder_is(folder):
    need_root("to be somebody else")
    assert user_of({}, folder) == (65534, 65534)
    assert user_of({"SUDO_UID": "1000", "SUDO_GID": "100"}, folder) == (1000, 100)
    assert user_of({"SUDO_UID": "0", "SUDO_GID": "0"}, folder) == (65534, 65534)
    os.chown(folder, 1001, 101)
    assert user_of({}, folder) == (1001, 101)
    with pytest.raises(UsageRefused, match="belongs to uid 1001"):
        user_of({"SUDO_UID": "1000", "SUDO_GID": "100"}, folder)
