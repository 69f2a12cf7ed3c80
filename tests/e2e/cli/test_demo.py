"""The demonstration: right answers by foreign clients and by our own, and nothing left behind however it ends."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
from pathlib import Path

import pytest
from support.cli import BOUND, COMMAND, run
from support.parts import need, need_root
from support.stack import clean_environ
from support.waiting import wait_until

from devdns.cli.demo_stack import DNS_CANDIDATES, HTTP_CANDIDATES


@pytest.fixture
def temporary(tmp_path):
    """Where the demo makes its folder; a stack that a failing test leaves behind is stopped."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    yield folder
    for left in folder.iterdir():
        run("down", "--state-dir", left)


def test_check(temporary):
    ran = run("demo", "--check", TMPDIR=temporary)
    assert (ran.code, ran.err) == (0, "")
    assert "all answers are right" in ran.out
    assert "0 of " in ran.out
    for name in ("api", "docs", "shop"):
        assert f"http://{name}.dev.test:" in ran.out
    assert not list(temporary.iterdir())


@pytest.mark.skipif(not shutil.which("dig"), reason="needs dig: apt-get install bind9-dnsutils")
@pytest.mark.skipif(not shutil.which("curl"), reason="needs curl: apt-get install curl")
def test_foreign_clients_are_used_where_there_are_any(temporary):
    ran = run("demo", "--check", TMPDIR=temporary)
    assert "DNS   $ dig +short @127.0.0.1 -p " in ran.out
    assert "HTTP  $ curl -sS --resolve api.dev.test:" in ran.out


def test_without_foreign_clients_our_own_is_used_and_labelled(temporary):
    ran = run("demo", "--check", PATH="/nonexistent", TMPDIR=temporary)
    assert ran.code == 0, ran
    assert "DNS   (own client) A api.dev.test @127.0.0.1:" in ran.out
    assert "HTTP  (own client) GET http://api.dev.test:" in ran.out


def test_busy_default_ports_are_evaded(temporary):
    taken = []
    for address in (DNS_CANDIDATES[0], HTTP_CANDIDATES[0]):
        sock = socket.socket()
        try:
            sock.bind(address)
            sock.listen()
        except OSError:
            pass  # somebody else has it: busy all the same
        taken.append(sock)
    try:
        ran = run("demo", "--check", TMPDIR=temporary)
    finally:
        for sock in taken:
            sock.close()
    assert ran.code == 0, ran
    assert "-p 5300 " not in ran.out
    assert "api.dev.test:8080" not in ran.out
    for port in (5300, 8080):
        assert re.search(
            rf"^  port {port} is taken by .+ \(pid .+\), so it is [0-9]+ this time$", ran.out, re.MULTILINE
        )


def test_variables_and_files_of_the_user_do_not_matter(temporary, tmp_path):
    (tmp_path / "devdns.yml").write_text("broken: [\n")
    ran = run("demo", "--check", cwd=tmp_path, TMPDIR=temporary, DEVDNS_ZONE="a_b", http_proxy="http://127.0.0.1:1")
    assert ran.code == 0, ran


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
def test_it_runs_until_stopped_and_leaves_nothing(temporary, number):
    process = subprocess.Popen(
        [*COMMAND, "demo"],
        env=clean_environ(TMPDIR=str(temporary)),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        process_group=0,
    )
    try:
        said = _until(process, "Ctrl-C")
        said += (line := process.stdout.readline())
        (folder,) = temporary.iterdir()
        assert "api.dev.test" in run("routes", "--state-dir", folder).out
        assert line.endswith(f" explain api --state-dir {folder}\n")
        children = [int(each) for each in _children(folder)]
        os.killpg(process.pid, number)  # a terminal signals the whole group
        rest = process.stdout.read()
        assert process.wait(BOUND) == 0, said + rest
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    assert rest.endswith("stopped; nothing is left behind\n")
    assert not list(temporary.iterdir())
    assert not [pid for pid in children if Path("/proc", str(pid)).exists()]


def test_a_second_interruption_does_not_keep_it_from_cleaning(temporary):
    environ = clean_environ(TMPDIR=str(temporary))
    with subprocess.Popen([*COMMAND, "demo"], env=environ, stdout=subprocess.PIPE, text=True) as process:
        _until(process, "Ctrl-C")
        while process.poll() is None:
            process.send_signal(signal.SIGINT)
        assert process.returncode in (0, -signal.SIGINT)  # the last one may meet the interpreter on its way out
    assert not list(temporary.iterdir())


def test_killed_outright_it_leaves_nothing_either(temporary):
    environ = clean_environ(TMPDIR=str(temporary))
    with subprocess.Popen([*COMMAND, "demo"], env=environ, stdout=subprocess.PIPE, text=True) as process:
        _until(process, "Ctrl-C")
        (folder,) = temporary.iterdir()
        children = [int(each) for each in _children(folder)]
        process.kill()
    wait_until(lambda: not list(temporary.iterdir()), what="the end of the folder")
    assert not [pid for pid in children if Path("/proc", str(pid)).exists()]


def _until(process, word):
    said = ""
    for line in process.stdout:
        said += line
        if word in line:
            return said
    raise AssertionError(said)


def _children(folder):
    found = json.loads((folder / "supervisor.json").read_text())
    return [found["pid"], *(each["pid"] for each in found["processes"])]


def test_it_runs_where_there_are_container_bridges(temporary):
    need("unshare", "ip")
    need_root("a network namespace")
    bridge = "mount -t sysfs sysfs /sys; ip link set lo up; ip link add br7 type bridge; ip address add 10.77.0.1/24 dev br7; ip link set br7 up"
    ran = run(
        "demo",
        "--check",
        prefix=("unshare", "--net", "--mount", "sh", "-ec", f'{bridge}; exec "$@"', "sh"),
        TMPDIR=temporary,
    )
    assert (ran.code, ran.err) == (0, "")
    assert "all answers are right" in ran.out
