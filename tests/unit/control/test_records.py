"""What control reads and writes in the state folder, and what it makes of it."""

import json
import os

import pytest
from structlog.testing import capture_logs

from devdns.control import files, processes


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_attached_files_are_kept_in_their_order(folder):
    assert files.read() == []
    files.write(["/b", "/a"])
    assert files.read() == ["/b", "/a"]
    assert [each.name for each in folder.iterdir()] == ["attached.json"]


@pytest.mark.parametrize("text", ["", "{", '{"a": 1}', "[1]", '["a"'])
def test_a_record_that_is_broken_is_forgotten_and_said(folder, text):
    (folder / "attached.json").write_text(text)
    with capture_logs() as logs:
        assert files.read() == []
    assert len(logs) == 1


def test_a_write_that_fails_leaves_the_record(folder, monkeypatch):
    files.write(["/a"])
    (folder / "attached.new").mkdir()
    with pytest.raises(OSError, match="attached"):
        files.write(["/b"])
    assert files.read() == ["/a"]


@pytest.mark.parametrize("text", [None, "", "[]", "{", "[" * 100_000])
def test_without_a_supervisor_there_are_no_processes(folder, text):
    if text is not None:
        (folder / "supervisor.json").write_text(text)
    assert processes.record() == {}
    assert processes.running({}) == []
    assert processes.listeners({}) == {}


def test_processes_are_told_with_their_memory(folder):
    row = {"name": "control", "pid": os.getpid(), "restarts": 1, "since": 5.0, "state": "running"}
    gone = {"name": "proxy-1", "pid": None, "restarts": 3, "since": 5.0, "state": "restarting"}
    record = {"pid": 1, "listeners": {"http": [["::1", 8080]]}, "processes": [row, gone]}
    (folder / "supervisor.json").write_text(json.dumps(record))
    ours, dead = processes.running(processes.record())
    assert ours["rss"] > 1 << 20
    assert (dead["rss"], dead["pid"], dead["restarts"]) == (None, None, 3)
    assert processes.listeners(processes.record()) == {"http": [("::1", 8080)]}


def test_a_process_that_is_gone_has_no_memory():
    assert processes.resident(2**22 + 1) is None


@pytest.mark.parametrize(
    "record",
    [
        {"listeners": [], "processes": [1]},
        {"listeners": {"http": [["a", "b"]]}, "processes": {}},
        {"listeners": {"http": 5}, "processes": None},
        {"listeners": {"http": [[1, 2, 3]]}, "processes": "abc"},
    ],
)
def test_a_record_of_another_shape_says_nothing(record):
    assert processes.listeners(record) == {}
    assert processes.running(record) == []


def test_a_process_of_another_shape_is_shown_as_far_as_it_goes():
    (row,) = processes.running({"processes": [{"pid": "x", "restarts": "q"}]})
    assert (row["pid"], row["rss"], row["restarts"]) == (None, None, 0)


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_what_is_no_file_is_no_record(folder, make):
    make(folder / "supervisor.json")
    make(folder / "attached.json")
    assert processes.record() == {}
    with capture_logs() as logs:
        assert files.read() == []
    assert len(logs) == 1


def test_paths_that_cannot_be_are_not_followed(folder):
    files.write(["x.yml", "", "/a\0b", "/" + "a" * 5000, "/a"])
    assert files.read() == ["/a"]
