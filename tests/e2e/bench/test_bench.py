"""`devdns bench` as it is used: real runs in rooms of their own, ended by SIGKILL, gone on with, and reported."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from support.cli import run
from support.parts import need, need_root
from support.source import ROOT
from support.stack import clean_environ
from support.waiting import wait_until

from devdns.cli.main import main
from devdns.cli.state import hand_over_tree
from devdns_bench.results import rows
from devdns_bench.rooms import HOSTS, RESOLV, entering

COMMAND = [sys.executable, "-m", "devdns.cli.main", "bench"]
WORDS = ["--scenario", "restart", "--approach", "devdns,ports", "--repeats", "1", "--seed", "4"]


@pytest.fixture(scope="module")
def here():
    need("dockerd", "docker", "busybox", "unshare", "setpriv", "ip")
    need_root("rooms of their own")
    machine = {path: path.read_bytes() for path in (HOSTS, RESOLV)}
    yield
    assert {path: path.read_bytes() for path in machine} == machine


def _inside(word: str) -> list[int]:
    """Processes whose environment or command line bears `word`."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                if word.encode() in (entry / "cmdline").read_bytes():
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


def test_a_room_ends_with_whoever_opened_it(here, tmp_path):
    """Also when that is killed: a daemon in it, which has left its parent, ends too."""
    word = str(tmp_path)
    daemon = f"setsid sh -c 'sleep 60; : {word}' & echo up; sleep 60; : {word}"
    opener = f"import subprocess; subprocess.run({entering(['sh', '-c', daemon])!r})"
    with subprocess.Popen([sys.executable, "-c", opener], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n"
        assert len(_inside(word)) > 2
        os.kill(process.pid, signal.SIGKILL)
        wait_until(lambda: not _inside(word), what="the end of the room")


def test_a_killed_bench_goes_on_where_it_was_and_its_rows_make_a_report(here, tmp_path):
    out = tmp_path / "out"
    environ = clean_environ(XDG_CACHE_HOME=str(tmp_path / "cache"))
    with subprocess.Popen(
        [*COMMAND, *WORDS, "--out", str(out)], env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as bench:
        wait_until(lambda: [*rows(out)], bound=60, what="the first row")
        bench.kill()
    kept = (out / "restart.jsonl").read_bytes()
    (first,) = rows(out)

    done = run("bench", *WORDS, "--out", out, XDG_CACHE_HOME=tmp_path / "cache")
    assert done.code == 0, done.err
    assert "1 of 2 runs to make" in done.out
    assert (out / "restart.jsonl").read_bytes().startswith(kept)
    left = [*Path(tempfile.gettempdir()).glob(f"devdns-bench-{bench.pid}-*")]
    assert not [*left, *Path("/sys/fs/cgroup").glob(f"**/devdns-bench-{bench.pid}-*")]
    made = [*rows(out)]
    assert made[0] == first
    assert {row.approach for row in made} == {"devdns", "ports"}
    assert [row.reason for row in made] == ["", ""]
    ports = next(row.result for row in made if row.approach == "ports")
    assert ports.figures["failed"] > 0  # a restarted container refuses connections
    assert ports.figures["sent"] > 150
    kept = [path.read_bytes().count(b"\n") for path in (out / "requests").iterdir()]
    assert sorted(kept) == sorted(row.result.figures["sent"] for row in made)
    assert all(row.result.figures["misrouted"] == 0 for row in made)

    done = run("bench", "report", out)
    assert done.code == 0, done.err
    assert "Restart of a container" in (out / "report" / "index.html").read_text()


def test_a_scenario_that_nobody_knows_is_refused(tmp_path):
    assert run("bench", "--scenario", "nope", "--out", tmp_path).error.startswith(
        "no scenario 'nope' - one of setup, restart,"
    )


def test_without_rows_there_is_no_report(tmp_path):
    assert run("bench", "report", tmp_path).error.startswith("no *.jsonl in")


def test_without_root_the_command_is_said_again_with_sudo(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setattr(sys, "argv", ["/here/bin/devdns", "bench", *WORDS])
    assert main(["bench", *WORDS, "--out", str(tmp_path)]) == 1
    said = capsys.readouterr()
    assert "ports, restart: needs root on Linux" in said.out
    assert "runs to make" not in said.out
    mend = f"run it as root: sudo /here/bin/devdns bench {' '.join(WORDS)}"
    assert said.err == f"devdns: nothing can be measured here - {mend}\n"


def test_peers_stand_in_columns(tmp_path, monkeypatch, capsys):
    """Also where a version is a Debian one, longer than most."""
    program = tmp_path / "dockerd"
    program.write_text("#!/bin/sh\necho 'Docker version 20.10.24+dfsg1, build 297e128'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "none"))
    assert main(["bench", "peers"]) == 0
    rows = [line.split(maxsplit=2) for line in capsys.readouterr().out.splitlines()]
    assert ["dockerd", "20.10.24+dfsg1", str(program)] in rows
    assert all(len(row) == 3 for row in rows)
    assert [row[2][:9] for row in rows if row[0] == "coredns"] == ["left out:"]


def test_what_sudo_made_is_its_callers(tmp_path, monkeypatch):
    need_root("files of two users")
    out = tmp_path / "theirs" / "out"
    (out / "requests").mkdir(parents=True)
    (out / "restart.jsonl").touch()
    (out / "link").symlink_to(tmp_path / "ours")
    (tmp_path / "ours").touch()
    monkeypatch.setenv("SUDO_UID", "65534")
    monkeypatch.setenv("SUDO_GID", "65534")
    hand_over_tree(out)
    assert (out / "restart.jsonl").stat().st_uid == 0  # made in a folder of root's
    os.chown(out.parent, 65534, 65534)
    hand_over_tree(out)
    assert {path.lstat().st_uid for path in (out, *out.rglob("*"))} == {65534}
    assert (tmp_path / "ours").stat().st_uid == 0


def test_a_report_into_a_folder_of_another_names_the_mend(tmp_path):
    need_root("files of two users")
    need("setpriv")
    out = tmp_path / "out"
    out.mkdir()
    (out / "restart.jsonl").touch()
    os.chown(out, 65534, 65534)
    done = run("bench", "report", out, prefix=["setpriv", "--bounding-set=-dac_override"])
    assert done.code == 1
    assert done.error == f"'{out / 'report'}' is not yours to write - sudo chown -R \"$USER\" {out}"


def test_without_the_extra_the_install_line_is_said(tmp_path):
    (tmp_path / "matplotlib").mkdir()
    (tmp_path / "matplotlib/__init__.py").write_text("raise ModuleNotFoundError('x', name='matplotlib')")
    (tmp_path / "restart.jsonl").touch()
    done = run("bench", "report", tmp_path, PYTHONPATH=tmp_path)
    assert done.code == 1
    line = f"{sys.executable} -m pip install -e '{ROOT}[bench]'"
    assert done.error == f"the bench needs 'matplotlib', which is not installed - {line}"
