"""`up` and `down` on a real stack: detached, in one process, twice at once, and what a wrong record must not do."""

import json
import os
import re
import signal
import subprocess
import sys
import time

import pytest
from support.cli import BOUND, COMMAND, run
from support.stack import Stack, clean_environ
from support.waiting import wait_until

from devdns.cli.state import is_running, record

OWN_SESSION = "import os, sys; os.setsid(); os.execv(sys.argv[1], sys.argv[1:])"
FREE = ("--dns", "127.0.0.1:0", "--http", "127.0.0.1:0")


@pytest.fixture
def project(tmp_path):
    """A folder with a routes file; whatever was detached there is stopped in the end."""
    (tmp_path / "devdns.yml").write_text("routes: {api: 5173}\n")
    yield tmp_path
    run("down", "--state-dir", tmp_path / "state")


def up(project, *flags):
    return run("up", *FREE, *flags, cwd=project, DEVDNS_STATE_DIR=project / "state")


def test_detached_until_down(project):
    began = time.monotonic()
    started = up(project, "--detach")
    took = time.monotonic() - began
    assert (started.code, started.err) == (0, "")
    first, *_, last = started.out.splitlines()
    assert first == f"zone dev.test  1 route from {project / 'devdns.yml'}"
    assert last.startswith("ready  dns 127.0.0.1:")
    assert took < 5
    status = json.loads(run("status", "--json", "--state-dir", project / "state").out)
    assert {each["state"] for each in status["processes"]} == {"running"}
    assert "ready  dns" in run("logs", "--state-dir", project / "state").out
    stopped = run("down", "--state-dir", project / "state")
    assert (stopped.code, stopped.out) == (0, "stopped\n")
    assert run("status", "--state-dir", project / "state").code == 3
    assert run("down", "--state-dir", project / "state").code == 3


def test_detached_tells_why_it_did_not_start(project):
    failed = run("up", "--detach", "--dns", "192.0.2.1:53", cwd=project, DEVDNS_STATE_DIR=project / "state")
    assert failed.code == 2
    assert failed.error.startswith("dns 192.0.2.1:53 cannot be had")
    assert not is_running(project / "state")


def test_detached_tells_what_is_wrong_from_the_start(project):
    (project / "devdns.yml").write_text("routes: {api: 5173}\n")
    run("up", "--detach", *FREE, cwd=project, DEVDNS_STATE_DIR=project / "state")
    run("add", "api", "5174", "--state-dir", project / "state")
    run("down", "--state-dir", project / "state")
    again = up(project, "--detach")
    assert again.code == 0
    assert again.err.startswith("problem api.dev.test: ")
    assert len(again.err.splitlines()) == 1


def test_detached_outlives_the_terminal(project):
    """Its session is its own: what ends the caller's does not reach it."""
    done = subprocess.run(
        [sys.executable, "-c", OWN_SESSION, *COMMAND, "up", "--detach", *FREE],
        cwd=project,
        env=clean_environ(DEVDNS_STATE_DIR=str(project / "state")),
        capture_output=True,
        timeout=BOUND,
        check=True,
    )
    assert b"ready" in done.stdout
    assert os.getsid(record(project / "state")["pid"]) == record(project / "state")["pid"]


@pytest.mark.parametrize("how", [["--detach"], ["--in-process"], []], ids=["detached", "in-process", "foreground"])
def test_two_at_once_are_one_and_both_files_count(project, how):
    """Whoever comes second attaches its file and exits 0."""
    environ = clean_environ(DEVDNS_STATE_DIR=str(project / "state"))
    both = []
    for name in ("api", "web"):
        (project / f"{name}.yml").write_text(f"routes: {{{name}: 5173}}\n")
        command = [*COMMAND, "up", *how, *FREE, "-c", str(project / f"{name}.yml")]
        both.append(subprocess.Popen(command, cwd=project, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE))
    try:
        ended = all if "--detach" in how else any
        wait_until(lambda: ended(each.poll() is not None for each in both), BOUND)
        routes = json.loads(run("routes", "--json", "--state-dir", project / "state").out)["routes"]
        assert sorted(each["name"] for each in routes) == ["api.dev.test", "web.dev.test"]
    finally:
        run("down", "--state-dir", project / "state")
        outs = [each.communicate(timeout=BOUND) for each in both]
    assert [each.returncode for each in both] == [0, 0], outs


def test_flags_that_come_too_late_are_said_to(project):
    started = up(project, "--detach", "--workers", "2")
    listening = re.search(r"dns (\S+)  http (\S+)", started.out)
    dns, http = listening.groups()
    again = run("up", "--detach", "--dns", dns, "--http", http, cwd=project, DEVDNS_STATE_DIR=project / "state")
    assert (again.code, again.err) == (0, "")
    asked = ("--dns", "127.0.0.1:1", "--http", "127.0.0.1:2", "--zone", "other.test", "--workers", "1")
    late = run("up", "--detach", *asked, cwd=project, DEVDNS_STATE_DIR=project / "state")
    assert late.code == 0
    warnings = [
        "warning: --zone does not count here: its zone is dev.test",
        f"warning: --dns does not count here: it listens on {dns}",  # and at the bridges that this machine may have
        f"warning: --http does not count here: it listens on {http}",
        "warning: --workers does not count here: it has 2",
    ]
    said = late.err.splitlines()
    assert len(said) == len(warnings)
    assert all(line.startswith(warning) for line, warning in zip(said, warnings, strict=True))
    wrong = run("up", "--dns", "nowhere", cwd=project, DEVDNS_STATE_DIR=project / "state")
    assert (wrong.code, wrong.out) == (2, "")


def test_an_attached_file_is_told_when_it_comes_back(project):
    up(project, "--detach")
    other = project / "other"
    other.mkdir()
    (other / "devdns.yml").write_text("routes: {extra: 7000}\n")
    attached = run("up", "-c", "../other/../other/devdns.yml", cwd=other, DEVDNS_STATE_DIR=project / "state")
    assert attached.out == f"devdns is already running; attached {other / 'devdns.yml'}\n"
    run("down", "--state-dir", project / "state")
    again = up(project, "--detach")
    assert again.out.splitlines()[:2] == [
        f"zone dev.test  1 route from {project / 'devdns.yml'}",
        f"and those from {other / 'devdns.yml'}, attached earlier",
    ]


def test_up_while_another_ends_starts_anew(project):
    up(project, "--detach")
    before = record(project / "state")["pid"]
    os.kill(before, signal.SIGTERM)
    again = up(project, "--detach")
    assert again.code == 0, again
    assert "ready" in again.out
    assert record(project / "state")["pid"] != before


def test_in_one_process(project):
    process = subprocess.Popen(
        [*COMMAND, "up", "--in-process", *FREE],
        cwd=project,
        env=clean_environ(DEVDNS_STATE_DIR=str(project / "state")),
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert next(line for line in process.stdout if line.startswith("ready"))
        assert "api.dev.test" in run("routes", "--state-dir", project / "state").out
        assert run("down", "--state-dir", project / "state").code == 0
        assert process.wait(BOUND) == 0
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_flags_are_stronger_than_variables_and_these_than_the_file(project):
    (project / "devdns.yml").write_text("zone: file.test\ndns: {listen: ['127.0.0.1:0']}\nworkers: 1\n")
    environ = {"DEVDNS_STATE_DIR": project / "state", "DEVDNS_ZONE": "variable.test", "DEVDNS_WORKERS": "1"}
    ran = run("up", "--detach", "--http", "127.0.0.1:0", "--workers", "2", cwd=project, **environ)
    assert ran.code == 0, ran
    status = json.loads(run("status", "--json", "--state-dir", project / "state").out)
    assert status["zones"] == ["variable.test"]
    assert {"proxy-1", "proxy-2"} <= {each["name"] for each in status["processes"]}


def test_the_file_is_found_upwards(project):
    below = project / "a" / "b"
    below.mkdir(parents=True)
    ran = run("up", "--detach", *FREE, cwd=below, DEVDNS_STATE_DIR=project / "state")
    assert f"1 route from {project / 'devdns.yml'}" in ran.out


def test_down_never_signals_a_process_that_is_not_ours(project):
    """A record that outlived its writer may name a process id that somebody else has now."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as stranger:
        state = project / "state"
        state.mkdir()
        (state / "supervisor.json").write_text(json.dumps({"pid": stranger.pid}))
        assert run("down", "--state-dir", state).code == 3
        assert stranger.poll() is None
        stranger.communicate(b"\n")


def test_watch_goes_on_when_control_is_killed(tmp_path):
    with Stack(tmp_path, "routes: {api: 5173}") as stack:
        watch = subprocess.Popen(
            [*COMMAND, "routes", "--watch", "--json"], stdout=subprocess.PIPE, text=True, env=stack.environ
        )
        try:
            assert json.loads(watch.stdout.readline())["event"] == "table"
            stack.kill("control")
            body = json.loads(watch.stdout.readline())
            assert (body["event"], [row["name"] for row in body["routes"]]) == ("table", ["api.dev.test"])
        finally:
            watch.send_signal(signal.SIGINT)
            assert watch.wait(BOUND) == 0
            watch.stdout.close()


def test_a_command_right_after_up_waits_for_it(project):
    """No sleep in anybody's script: the lock is there before the socket is."""
    process = subprocess.Popen(
        [*COMMAND, "up", *FREE],
        cwd=project,
        env=clean_environ(DEVDNS_STATE_DIR=str(project / "state")),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until(lambda: is_running(project / "state"), what="the lock")
        assert run("routes", "--state-dir", project / "state").code == 0
    finally:
        process.terminate()
        assert process.wait(BOUND) == 0
