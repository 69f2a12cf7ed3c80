import fcntl
import os
import pwd
import subprocess
import sys
from pathlib import Path

import pytest

from devdns.cli import state
from devdns.core.errors import UsageRefused


@pytest.mark.parametrize(
    ("environ", "euid", "expected"),
    [
        ({"XDG_STATE_HOME": "/x"}, 1000, "/x/devdns"),
        ({"XDG_STATE_HOME": "/x", "SUDO_UID": "0"}, 0, "/x/devdns"),
        ({}, 1000, "~/.local/state/devdns"),
        ({"SUDO_UID": "0"}, 0, "~/.local/state/devdns"),
        ({"SUDO_UID": "1"}, 1000, "~/.local/state/devdns"),
    ],
)
def test_where_the_state_is(environ, euid, expected):
    assert state.default_state_dir(environ, euid) == Path(expected).expanduser()


def test_under_sudo_it_is_the_callers_folder():
    daemon = pwd.getpwuid(1)
    assert state.default_state_dir({"SUDO_UID": "1"}, 0) == Path(daemon.pw_dir, ".local/state/devdns")


def test_a_caller_that_is_no_user_is_wrong_usage():
    with pytest.raises(UsageRefused, match="SUDO_UID is '54321', which is no user here"):
        state.default_state_dir({"SUDO_UID": "54321"}, 0)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to be somebody else: sudo make test")
def test_a_folder_that_others_may_write_is_refused(tmp_path):
    os.chown(tmp_path, 54321, 54321)
    tmp_path.chmod(0o777)
    with pytest.raises(UsageRefused, match="can be written by others"):
        state.prepare(tmp_path)


def test_the_folder_is_made_for_its_user_alone(tmp_path):
    folder = tmp_path / "a" / "b"
    old = os.umask(0)
    try:
        state.prepare(folder)
    finally:
        os.umask(old)
    assert folder.stat().st_mode & 0o777 == 0o700
    folder.chmod(0o755)
    state.prepare(folder)
    assert folder.stat().st_mode & 0o777 == 0o700


def test_a_folder_that_cannot_be_made_is_named_with_the_mend(tmp_path):
    (tmp_path / "file").touch()
    for wanted, why in (("file", ": not a folder"), ("file/state", " at '.*/file': not a folder")):
        with pytest.raises(UsageRefused, match=f"state folder '.*/{wanted}' cannot be made{why} - .*--state-dir"):
            state.prepare(tmp_path / wanted)


def test_the_lock_says_whether_it_runs(tmp_path):
    assert not state.is_running(tmp_path)
    with (tmp_path / state.LOCK).open("w") as lock:
        assert not state.is_running(tmp_path)
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert state.is_running(tmp_path)
    assert not state.is_running(tmp_path)


@pytest.mark.parametrize("text", ["", "{", "[]", "\udcff"])
def test_a_record_that_is_none_is_empty(tmp_path, text):
    (tmp_path / state.RECORD).write_bytes(text.encode("utf-8", "surrogateescape"))
    assert state.record(tmp_path) == {}


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs /proc")
def test_a_process_of_another_program_is_not_ours():
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        assert not state.is_devdns(other.pid)
        other.communicate(b"\n")
    assert not state.is_devdns(other.pid)


def test_a_folder_in_which_another_up_just_made_the_log_is_ours(tmp_path):
    (tmp_path / "log").mkdir()
    state.prepare(tmp_path)
    (tmp_path / "routes.json").touch()
    with pytest.raises(UsageRefused, match="holds other things"):
        state.prepare(tmp_path)


def test_a_folder_in_which_only_a_machine_was_set_up_is_ours_whatever_was_cut_off_there(tmp_path):
    for name in ("system.journal", ".system.journal.new", "installed.json", ".installed.json.devdns-new"):
        (tmp_path / name).touch()
    state.prepare(tmp_path)
    (tmp_path / ".installed").touch()
    with pytest.raises(UsageRefused, match="holds other things"):
        state.prepare(tmp_path)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('{"DEVDNS_DNS": "127.0.0.1:5300", "DEVDNS_DNS_FORWARD": "system"}', 2),
        ('{"DEVDNS_DNS": "127.0.0.1:5300", "DEVDNS_HTTP": "0.0.0.0:80", "PATH": "/evil"}', 1),
        ('{"DEVDNS_DNS": 5300}', 0),
        ("[]", 0),
        ("{", 0),
    ],
)
def test_what_was_installed_says_where_the_resolver_listens_and_nothing_else(tmp_path, text, found):
    (tmp_path / "installed.json").write_text(text)
    assert len(state.installed(tmp_path)) == found


def test_a_folder_with_other_things_in_it_is_left_as_it_is(tmp_path):
    (tmp_path / "precious").write_text("")
    tmp_path.chmod(0o755)
    with pytest.raises(UsageRefused, match="holds other things"):
        state.prepare(tmp_path)
    assert tmp_path.stat().st_mode & 0o777 == 0o755
