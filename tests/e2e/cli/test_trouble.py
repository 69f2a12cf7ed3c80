"""What goes wrong while devdns runs is seen where one looks: a broken file, a conflict, a log that is another run's."""

import subprocess
import sys

import pytest
from support.cli import BOUND, COMMAND, control, run
from support.stack import clean_environ
from support.waiting import wait_until

HEAD = "docker: {enabled: false}\nmdns: {enabled: false}\nroutes:\n"
FREE = ("--dns", "127.0.0.1:0", "--http", "127.0.0.1:0")


@pytest.fixture
def state(tmp_path):
    """A control of the test's own, with the one route `api`."""
    with control(tmp_path, f"{HEAD}  api: 5173\n") as folder:
        wait_until(lambda: "api" in run("routes", "--state-dir", folder).out, what="the route")
        yield folder


def broken(state):
    """Saves a typo in the file of that control, and waits until it is heard."""
    (state.parent / "devdns.yml").write_text(f"{HEAD}  api: 5173\n  b_c: 80\n")
    wait_until(lambda: run("status", "--state-dir", state).code == 1, what="a degraded source")


def test_a_broken_file_is_seen_in_the_routes(state):
    broken(state)
    ran = run("routes", "--state-dir", state, cwd=state.parent)
    assert ran.code == 0
    *_, last = ran.out.splitlines()
    assert last.startswith("degraded  devdns.yml:5: routes.b_c: name 'b_c'")
    assert "last good version stays in force" in last
    assert "devdns config check" in last


def test_status_tells_the_reason_of_a_broken_file_once(state):
    broken(state)
    out = run("status", "--state-dir", state).out
    assert out.count("routes.b_c") == 1
    assert next(line for line in out.splitlines() if line.startswith("file:")).endswith("  degraded")


@pytest.fixture
def watch(state):
    """`devdns routes --watch` beside that control."""
    command = [*COMMAND, "routes", "--watch", "--state-dir", str(state)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=clean_environ(), bufsize=1) as process:
        yield process
        process.kill()


def _until(process, word):
    line = next((each for each in process.stdout if word in each), None)
    assert line is not None
    return line


def test_watch_tells_what_goes_wrong_and_when_it_is_over(state, watch):
    _until(watch, "http://api.dev.test")
    broken(state)
    assert " ! " in _until(watch, "routes.b_c")
    (state.parent / "devdns.yml").write_text(f"{HEAD}  api: 5173\n")
    assert " over " in _until(watch, "routes.b_c")
    run("add", "api", "9000", "--state-dir", state)
    assert " ! " in _until(watch, "lost to")


def test_watch_ends_when_its_reader_left(state, watch):
    """Not only at the next change, which may never come."""
    _until(watch, "http://api.dev.test")
    watch.stdout.close()
    assert watch.wait(BOUND) == 0


def test_watch_ends_with_devdns(tmp_path):
    with control(tmp_path, f"{HEAD}  api: 5173\n") as folder:
        command = [*COMMAND, "routes", "--watch", "--state-dir", str(folder)]
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=clean_environ()
        )
        _until(process, "http://api.dev.test")
    _, err = process.communicate(timeout=BOUND)
    assert process.returncode == 3
    assert err.startswith("devdns: no devdns runs with the state folder")


@pytest.mark.skipif(sys.platform != "linux", reason="only /proc tells where another process writes")
def test_the_log_of_an_earlier_run_is_not_shown_as_this_one(tmp_path):
    state = tmp_path / "state"
    run("up", "--detach", *FREE, cwd=tmp_path, DEVDNS_STATE_DIR=state)
    assert run("logs", "--state-dir", state).code == 0
    run("down", "--state-dir", state)
    assert "ready" in run("logs", "--state-dir", state).out
    command = [*COMMAND, "up", *FREE, "--state-dir", str(state)]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True, env=clean_environ()) as process:
        _until(process, "ready")
        ran = run("logs", "--state-dir", state)
        process.terminate()
    assert (ran.code, ran.out) == (1, "")
    assert (
        ran.error == f"this devdns (pid {process.pid}) logs to its own terminal - only devdns up --detach keeps a log"
    )
