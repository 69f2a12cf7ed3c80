"""What the commands say about a real control process, and the exit code with it."""

import json
import os
import pty
import resource
import shlex
import signal
import socket
import subprocess

import pytest
from support.cli import BOUND, COMMAND, control, run
from support.stack import clean_environ, open_folder
from support.waiting import wait_until

ROUTES = """\
docker: {enabled: false}
mdns: {enabled: false}
routes:
  api: 5173
  api/v2: {target: 9000, strip: true}
  shop: [8001, 8002]
"""


@pytest.fixture(scope="module")
def told():
    """A control with three routes, one conflict and one hostile label, for tests that only read."""
    with open_folder() as folder, control(folder, ROUTES) as state:
        assert run("add", "shop", "88", "--state-dir", state).code == 0
        yield folder


@pytest.fixture
def quiet(tmp_path):
    """A control of the test's own."""
    with control(tmp_path, ROUTES) as state:
        yield state


def ask(told, line, **environ):
    return run(*shlex.split(line), cwd=told, DEVDNS_STATE_DIR=told / "state", **environ)


TABLE = """\
NAME                         TARGET          STATE  FROM
http://api.dev.test:8080     127.0.0.1:5173  live   devdns.yml:4
http://api.dev.test:8080/v2  127.0.0.1:9000  live   devdns.yml:5
http://shop.dev.test:8080    127.0.0.1:88    live   devdns add
conflict  shop.dev.test: devdns add (127.0.0.1:88) keeps the name, devdns.yml:6 (127.0.0.1:8001, 127.0.0.1:8002) lost it
"""

#: command line -> exit code, what stdout begins with or holds, the error.
SAID = {
    "routes": (0, TABLE, ""),
    "open api --json": (0, '{\n  "version": 1,\n  "url": "http://api.dev.test:8080/"\n}\n', ""),
    "open --json": (0, '{\n  "version": 1,\n  "url": "http://devdns.dev.test:8080/"\n}\n', ""),
    "open http://api.dev.test/v2/x --json": (0, "http://api.dev.test:8080/v2/x", ""),
    "open nope": (1, "", "no route has the name 'nope.dev.test' - add it with devdns add nope PORT"),
    "rm api": (1, "", "no route 'api.dev.test' was added by hand: it comes from /"),
    "rm nope": (1, "", "no route 'nope.dev.test' was added by hand"),
    "add a_b 1": (2, "", "name 'a_b' may hold only letters, digits and inner hyphens - write a-b"),
    "add localhost 1": (2, "", "name 'localhost' is reserved: localhost cannot be claimed (RFC 6761)"),
    "add api 99999": (2, "", "target '99999': port 99999 is not between 1 and 65535"),
    "add api 169.254.169.254:80": (2, "", "169.254.169.254 is not the address of a service"),
    "add api 1 --hold never": (2, "", "'never' is not a time"),
    "add ' ' 1": (2, "", "name '' is empty"),
    "rm ''": (2, "", "name '' is empty"),
    "explain ''": (2, "", "name '' is empty"),
    "open '' --json": (2, "", "name '' is empty"),
    "explain nope": (1, "nope.dev.test resolves, but no route has this name", ""),
    "explain http://nope.dev.test:8080/x": (1, "nope.dev.test resolves, but no route has this name", ""),
    "explain api": (1, "http://127.0.0.1:5173 is not reachable: connection refused", ""),
    "explain api/v2/x": (1, "api.dev.test/v2 -> http://127.0.0.1:9000: unreachable", ""),
    "explain shop": (1, "it beat a claim from /", ""),
    "explain devdns.dev.test": (0, "devdns.dev.test is devdns itself", ""),
    "history api": (0, "api.dev.test/v2  live    127.0.0.1:9000  its file names it\n", ""),
    "history nope": (0, "nothing of nope has changed: devdns explain nope says whether it has a route\n", ""),
    "history --since soon": (2, "", "'soon' is not a time"),
    "history ' '": (2, "", "name '' is empty"),
    "status": (1, "not well", ""),
    "down -c nope.yml": (1, "", "nope.yml' is attached"),
}


@pytest.mark.parametrize("line", SAID)
def test_transcript(told, line):
    code, out, error = SAID[line]
    ran = ask(told, line)
    assert ran.code == code, ran
    assert out in ran.out
    assert bool(ran.out) == bool(out)
    assert error in (ran.error if error else "")
    assert bool(ran.err) == bool(error)


@pytest.mark.parametrize(
    ("line", "keys"),
    [
        ("status", {"devdns", "zones", "listeners", "processes", "sources", "problems", "uptime"}),
        ("routes", {"routes", "conflicts", "refusals", "generation"}),
        ("history", {"entries"}),
        ("explain api", {"name", "verdict", "route", "checks", "lines"}),
    ],
)
def test_json_is_the_body_of_the_api(told, line, keys):
    body = json.loads(ask(told, f"{line} --json").out)
    assert body["version"] == 1
    assert keys <= set(body)


def test_add_and_rm(quiet):
    added = run("add", "hello", "4000", "--hold", "1s", "--state-dir", quiet)
    assert (added.code, added.out) == (0, "http://hello.dev.test:8080  127.0.0.1:4000\n")
    pool = run("add", "pool/x", "4000", "[::1]:4001", "--strip", "--json", "--state-dir", quiet)
    assert json.loads(pool.out)["route"]["targets"] == ["http://127.0.0.1:4000", "http://[::1]:4001"]
    assert json.loads(pool.out)["route"]["options"]["strip"] is True
    secure = run("add", "safe", "https://safe.lan", "--ca", "ca.pem", "--json", "--state-dir", quiet)
    assert json.loads(secure.out)["route"]["options"]["ca"].endswith("/ca.pem")
    loose = run("add", "loose", "https://loose.lan", "--no-verify", "--json", "--state-dir", quiet)
    assert json.loads(loose.out)["route"]["options"]["verify"] is False
    both = run("add", "both", "https://both.lan", "--no-verify", "--ca", "ca.pem", "--state-dir", quiet)
    assert (both.code, "keep one of them" in both.err) == (2, True)
    noted = run("add", "other.com", "https://1.2.3.4", "--ca", "none.pem", "--state-dir", quiet)
    assert "note  other.com is in no zone of this devdns: the name is other.com.dev.test\n" in noted.out
    assert "/none.pem is not there yet\n" in noted.out
    assert "note" not in run("add", "api.shop", "4000", "--state-dir", quiet).out
    removed = run("rm", "hello", "--state-dir", quiet)
    assert (removed.code, removed.out) == (0, "removed hello.dev.test\n")
    assert run("rm", "hello", "--state-dir", quiet).code == 1


def test_explain_of_a_service_that_answers(quiet):
    with socket.socket() as service:
        service.bind(("127.0.0.1", 0))
        service.listen()
        run("add", "alive", service.getsockname()[1], "--state-dir", quiet)
        ran = run("explain", "alive", "--state-dir", quiet)
    assert ran.code == 0
    assert "is reachable" in ran.out


def test_a_second_up_attaches_its_file_and_down_takes_it_away(quiet, tmp_path):
    project = tmp_path / "other"
    project.mkdir()
    path = project / "devdns.yml"
    path.write_text("zone: other.test\nroutes: {extra: 7000}\n")
    attached = run("up", "--state-dir", quiet, cwd=project)
    assert (attached.code, attached.out) == (0, f"devdns is already running; attached {path}\n")
    assert "only the routes of an attached file count, not its zone" in attached.err
    again = run("up", "--state-dir", quiet, cwd=project)
    assert (again.code, again.out) == (0, f"devdns is already running with {path}\n")
    wait_until(lambda: f"{path}:2" in run("routes", "--state-dir", quiet).out, what="the attached route")
    gone = run("down", "-c", "devdns.yml", "--state-dir", quiet, cwd=project)
    assert (gone.code, gone.out) == (0, f"detached {path}\n")
    assert "extra" not in run("routes", "--state-dir", quiet).out


def test_up_without_a_file_says_that_it_runs(quiet, tmp_path):
    bare = tmp_path / "bare"
    bare.mkdir()
    ran = run("up", "--state-dir", quiet, "-c", quiet.parent / "devdns.yml")
    assert (ran.code, ran.out) == (0, f"devdns is already running with {quiet.parent / 'devdns.yml'}\n")


def test_a_name_of_raw_tcp_is_removed_with_its_port_and_is_nothing_for_a_browser(quiet):
    def told(*words):
        ran = run(*words, "--state-dir", quiet)
        return ran.code, ran.err.strip().removeprefix("devdns: ")

    assert told("add", "db", "tcp://127.0.0.1:15432", "--tcp", "5432") == (0, "")
    assert told("rm", "db") == (1, "no route 'db.dev.test' was added by hand, but db.dev.test:5432 was")
    told_open = "db.dev.test:5432 is raw TCP, which no browser speaks - devdns explain db says where it is"
    assert told("open", "db") == (1, told_open)
    assert told("rm", "db:5432") == (0, "")


def test_watch_tells_each_change(quiet):
    command = [*COMMAND, "routes", "--watch", "--json", "--state-dir", str(quiet)]
    watch = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=clean_environ())
    try:
        assert json.loads(watch.stdout.readline())["event"] == "table"
        run("add", "hello", "4000", "--state-dir", quiet)
        change = json.loads(watch.stdout.readline())
        assert (change["event"], [row["name"] for row in change["added"]]) == ("change", ["hello.dev.test"])
        run("rm", "hello", "--state-dir", quiet)
        assert json.loads(watch.stdout.readline())["removed"] == ["hello.dev.test"]
    finally:
        watch.send_signal(signal.SIGINT)
        assert watch.wait(BOUND) == 0
        watch.stdout.close()


def test_a_reader_that_leaves_is_no_error(told):
    line = f"{shlex.join(COMMAND)} routes --json --state-dir {told / 'state'} | true; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=True, env=clean_environ())
    assert (done.stdout, done.stderr) == ("0\n", "")


def test_open_shows_the_url_and_starts_the_browser(told, tmp_path):
    browser, seen = tmp_path / "browser", tmp_path / "seen"
    browser.write_text(f'#!/bin/sh\nprintf %s "$1" > {seen}.part && mv {seen}.part {seen}\n')
    browser.chmod(0o755)
    ran = ask(told, "open api/v2", BROWSER=browser)
    assert (ran.code, ran.out) == (0, "http://api.dev.test:8080/v2\n")
    wait_until(seen.exists, what="the browser")
    assert seen.read_text() == "http://api.dev.test:8080/v2"


def test_open_without_a_browser(told):
    ran = ask(told, "open api", PATH="/nonexistent")
    assert (ran.code, ran.out) == (1, "http://api.dev.test:8080/\n")
    assert ran.error == "no browser is to be found - set BROWSER, or open the URL above by hand"
    failed = ask(told, "open api", BROWSER="/nonexistent/browser", PATH="/nonexistent")
    assert failed.code == 1
    assert failed.error.startswith("no browser of BROWSER=/nonexistent/browser opened it - mend BROWSER, or open")


def test_names_are_completed(told):
    environ = {"_DEVDNS_COMPLETE": "bash_complete", "COMP_WORDS": "devdns explain a", "COMP_CWORD": "2"}
    assert ask(told, "", **environ).out == "plain,api.dev.test\nplain,api.dev.test/v2\n"
    words = f"devdns rm --state-dir {told / 'state'} "
    removable = run(cwd=told, _DEVDNS_COMPLETE="bash_complete", COMP_WORDS=words, COMP_CWORD="4")
    assert removable.out == "plain,shop.dev.test\n"
    nowhere = run(cwd=told, _DEVDNS_COMPLETE="bash_complete", COMP_WORDS="devdns explain a", COMP_CWORD="2")
    assert (nowhere.code, nowhere.out.strip(), nowhere.err) == (0, "", "")


def test_an_interrupted_command_is_quiet(tmp_path):
    with socket.socket(socket.AF_UNIX) as mute:
        mute.bind(str(tmp_path / "control.sock"))
        mute.listen()
        command = [*COMMAND, "status", "--state-dir", str(tmp_path)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=clean_environ())
        mute.settimeout(BOUND)
        connection, _ = mute.accept()
        assert connection.recv(1) == b"G"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=BOUND)
        connection.close()
    assert (process.returncode, out, err.strip()) == (130, b"", b"")


def on_terminal(command, **environ):
    """What a command writes to a terminal."""
    leader, follower = pty.openpty()
    environ = clean_environ(TERM="xterm", COLUMNS="200", **environ)
    with subprocess.Popen(command, stdout=follower, stderr=follower, stdin=follower, env=environ) as process:
        os.close(follower)
        pieces = []
        try:
            while piece := os.read(leader, 65536):
                pieces.append(piece)
        except OSError:
            pass  # Linux says so when the last writer is gone
        process.wait(BOUND)
    os.close(leader)
    return b"".join(pieces).decode()


def test_colours_are_for_terminals(told):
    command = [*COMMAND, "routes", "--state-dir", str(told / "state")]
    assert "\x1b[32mlive" in on_terminal(command)
    plain = on_terminal(command, NO_COLOR="1")
    assert "live" in plain
    assert "\x1b" not in plain


def test_foreign_words_do_not_steer_the_terminal(quiet):
    """A file's name is the easiest foreign text; labels and TXT records take the same way."""
    evil = quiet.parent / "e\x1b]0;pwned\x07v\u202eil"
    evil.mkdir()
    (evil / "devdns.yml").write_text("routes: {extra: 7000}\n")
    shown = on_terminal([*COMMAND, "up", "-c", str(evil / "devdns.yml"), "--state-dir", str(quiet)])
    routes = [*COMMAND, "routes", "--state-dir", str(quiet)]
    wait_until(lambda: "extra" in on_terminal(routes), what="the attached route")
    for text in (shown, on_terminal(routes)):
        assert "\\x1b]0;pwned\\x07v\\u202eil" in text
        assert not any(bad in text for bad in ("\x1b]", "\x07", "\u202e"))


def test_routes_is_quick(told):
    """Under 0.3 s of CPU, which other tests at the same time do not change; the wall clock is for a quiet machine."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert ask(told, "routes").code == 0
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 0.3
