import os
import pwd
import shutil
import stat
import subprocess
import sys

import pytest
from support.parts import need_root
from support.stack import open_folder

from devdns.core.errors import UsageRefused
from devdns.state_folder import StateFolder, hand_over, refuse_foreign, sudo_caller, user_of

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
        "leaves.sock",
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


def test_roots_group_is_nobodys(folder):
    need_root("to be somebody else")
    os.chown(folder, 54321, 0)
    assert user_of({}, folder) == (54321, 65534)
    daemon = pwd.getpwuid(1)
    os.chown(folder, daemon.pw_uid, 0)
    assert user_of({}, folder) == (daemon.pw_uid, daemon.pw_gid)
    assert sudo_caller({"SUDO_UID": "1", "SUDO_GID": "0"}) == (daemon.pw_uid, daemon.pw_gid)


@pytest.mark.parametrize("said", ["abc", "-1", "4294967295", "\u0661"])
def test_what_sudo_never_says_is_wrong_usage(said):
    with pytest.raises(UsageRefused, match=r"SUDO_UID is .* - unset SUDO_UID"):
        sudo_caller({"SUDO_UID": said, "SUDO_GID": "1"})


def test_a_folder_that_yet_others_may_write_is_refused(folder):
    need_root("to give a folder away")
    os.chown(folder, 54321, 54321)
    refuse_foreign(folder)
    for mode in (0o770, 0o707, 0o1777):
        folder.chmod(mode)
        with pytest.raises(UsageRefused, match="can be written by others"):
            refuse_foreign(folder)


def test_a_folder_of_another_user_is_refused(folder):
    need_root("to be somebody else")
    folder.chmod(0o777)
    os.chown(folder, 54321, 54321)
    code = (
        "import os, sys; from devdns.state_folder import Path, refuse_foreign;"
        "os.chdir(sys.argv[1]); os.setuid(54322); refuse_foreign(Path())"
    )
    ran = subprocess.run([sys.executable, "-c", code, str(folder)], capture_output=True, text=True, check=False)
    assert "belongs to uid 54321" in ran.stderr


def test_a_planted_record_is_replaced_not_followed(folder, tmp_path, monkeypatch):
    precious = tmp_path / "precious"
    precious.write_text("precious")
    monkeypatch.chdir(folder)
    held = StateFolder({})
    (folder / f".supervisor.json.{os.getpid()}").symlink_to(precious)
    held.record("{}")
    held.release()
    assert precious.read_text() == "precious"


def test_a_folder_that_is_gone_costs_the_record_only(folder, monkeypatch):
    monkeypatch.chdir(folder)
    held = StateFolder({})
    shutil.rmtree(folder)
    held.record("{}")
    held.release()
    assert not folder.exists()
