"""Everything a person can get wrong: one clear line each on stderr, nothing on stdout, the exit code of the contract."""

import os
import re
import shutil
import socket
import sys

import pytest
from support.cli import control, run

LONG = "x" * 64


@pytest.fixture
def empty(tmp_path):
    folder = tmp_path / "project"
    folder.mkdir()
    return folder


#: arguments -> the error line, exit code 2.
USAGE = {
    "unknown command": (["xyz"], "No such command 'xyz' - see devdns --help"),
    "mistyped command": (["rout"], "No such command 'rout', did you mean 'routes'? - see devdns --help"),
    "unknown flag": (["routes", "--foo"], "No such option '--foo' - see devdns routes --help"),
    "missing argument": (["rm"], "Missing argument 'NAME' - see devdns rm --help"),
    "missing target": (["add", "api"], "Missing argument 'TARGET...' - see devdns add --help"),
    "unknown shell": (["completion", "tcsh"], "'tcsh' is not one of 'bash', 'zsh', 'fish'"),
    "unknown file": (["up", "-c", "nope.yml"], "nope.yml' cannot be read: No such file or directory - give another"),
    "a folder as file": (["up", "-c", "."], "cannot be read: Is a directory - give another one with -c FILE"),
    "bad address": (["up", "--dns", "foo"], "--dns): 'foo' is not an address and port - write it like 127.0.0.1:8080"),
    "bad port": (["up", "--http", "127.0.0.1:65536"], "'127.0.0.1:65536' is not an address and port"),
    "bad zone": (["up", "--zone", "a_b"], "name 'a_b' may hold only"),
    "bad workers": (["up", "--workers", "0"], "'0' is not a number from 1 to 64"),
    "contradiction": (["up", "--detach", "--in-process"], "--detach and --in-process exclude each other"),
    "no config to check": (["config", "check"], "no devdns.yml here or above - give one with -c FILE"),
    "bad control": (
        ["proxy", "--control", "tcp://x"],
        "--control 'tcp://x' is not a Unix socket - write it like unix:///",
    ),
}


@pytest.mark.parametrize(("arguments", "line"), USAGE.values(), ids=USAGE)
def test_wrong_usage(empty, arguments, line):
    ran = run(*arguments, cwd=empty, DEVDNS_STATE_DIR=empty / "state")
    assert (ran.code, ran.out) == (2, "")
    assert line in ran.error


#: devdns.yml -> what follows its name in each line of the error.
FILES = {
    "broken YAML": (
        b"routes: [\n",
        [":2: did not find expected node content - a value is missing here, or a bracket above is not closed"],
    ),
    "not UTF-8": (b"zone: \xff\n", [":1: not UTF-8: byte 0xff - save it as UTF-8"]),
    "unknown keys, all at once": (
        b"rotes: {}\nhttp: {liste: []}\n",
        [":1: rotes: unknown key - did you mean routes?", ":2: http.liste: unknown key - did you mean listen?"],
    ),
    "names": (
        f"routes:\n  a_b: 80\n  {LONG}: 80\n  localhost: 80\n".encode(),
        [
            ":2: routes.a_b: name 'a_b' may hold only letters, digits and inner hyphens - write a-b",
            f":3: routes.{'x' * 57}...: name '{LONG}' is 64 characters long, over 63",
            ":4: routes.localhost: name 'localhost' is reserved: localhost cannot be claimed (RFC 6761)",
        ],
    ),
    "targets": (b"routes:\n  api: 99999\n", [":2: routes.api: target '99999': port 99999 is not between 1 and 65535"]),
}


@pytest.mark.parametrize("command", [["up"], ["config", "check"]], ids=" ".join)
@pytest.mark.parametrize(("text", "lines"), FILES.values(), ids=FILES)
def test_wrong_files(empty, command, text, lines):
    path = empty / "devdns.yml"
    path.write_bytes(text)
    ran = run(*command, cwd=empty, DEVDNS_STATE_DIR=empty / "state")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.splitlines() == [f"devdns: {path}{line}" for line in lines]
    assert not (empty / "state").exists()


def test_a_file_with_another_ending_is_noticed(empty):
    (empty / "devdns.yaml").write_text("routes: {api: 5173}\n")
    ran = run("config", "check", cwd=empty)
    assert (ran.code, ran.error) == (
        2,
        f"no devdns.yml here or above - {empty / 'devdns.yaml'} is there: rename it to devdns.yml",
    )
    up = run("up", "--dns", "192.0.2.1:53", cwd=empty, DEVDNS_STATE_DIR=empty / "state")
    assert "devdns.yaml is there: rename it to devdns.yml" in up.out


def test_the_problems_of_a_file_as_json(empty):
    (empty / "devdns.yml").write_text("rotes: {}\n")
    ran = run("config", "check", "--json", cwd=empty)
    assert ran.code == 2
    assert '"ok": false' in ran.out
    assert "rotes: unknown key" in ran.out


@pytest.mark.parametrize(
    "arguments",
    [
        ["status"],
        ["routes"],
        ["routes", "--watch"],
        ["add", "api", "1"],
        ["rm", "api"],
        ["explain", "api"],
        ["open"],
        ["down"],
        ["down", "-c", "devdns.yml"],
    ],
    ids=" ".join,
)
def test_not_running(tmp_path, arguments):
    ran = run(*arguments, "--state-dir", tmp_path)
    assert (ran.code, ran.out) == (3, "")
    assert ran.error.startswith(f"no devdns runs with the state folder '{tmp_path}' - ")


def test_a_state_folder_that_cannot_be(empty):
    (empty / "file").touch()
    ran = run("up", "--state-dir", empty / "file" / "state", cwd=empty)
    assert (ran.code, ran.out) == (2, "")
    assert "file': not a folder - give another one with --state-dir DIR" in ran.error


@pytest.mark.skipif(not shutil.which("setpriv"), reason="needs setpriv: apt-get install util-linux")
def test_a_state_folder_of_somebody_else(empty):
    folder = empty / "theirs"
    folder.mkdir(mode=0o500)
    prefix = (
        ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all"] if os.geteuid() == 0 else []
    )
    if prefix:
        os.chown(folder, 65534, 65534)
    ran = run("up", "--state-dir", folder / "state", cwd=empty, prefix=prefix)
    assert (ran.code, ran.out) == (2, "")
    assert f"state folder '{folder / 'state'}' cannot be made" in ran.error
    assert "Permission denied" in ran.error


@pytest.mark.parametrize("flag", ["--dns", "--http"])
def test_a_busy_port_names_its_holder_and_the_mend(empty, flag):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        other = {"--dns": "--http", "--http": "--dns"}[flag]
        ran = run("up", flag, address, other, "127.0.0.1:0", cwd=empty, DEVDNS_STATE_DIR=empty / "state")
    assert ran.code == 2
    assert f"{flag[2:]} {address} is taken by " in ran.error
    assert f"(pid {os.getpid()}) - stop that program, or choose another address with {flag} ADDR:PORT" in ran.error


@pytest.mark.skipif(sys.platform != "linux", reason="only /proc tells the variables of another process")
def test_a_port_of_another_devdns_names_its_state_folder(empty):
    first, second = empty / "first", empty / "second"
    started = run("up", "--detach", "--dns", "127.0.0.1:0", "--http", "127.0.0.1:0", cwd=empty, DEVDNS_STATE_DIR=first)
    http = started.out.split()[-1]
    ran = run("up", "--dns", "127.0.0.1:0", "--http", http, cwd=empty, DEVDNS_STATE_DIR=second)
    assert run("down", "--state-dir", first).code == 0
    assert re.search(rf"http {http} is taken by devdns \(pid [0-9]+, state folder {first}\) - stop", ran.error)


@pytest.mark.skipif(not shutil.which("setpriv"), reason="needs setpriv: apt-get install util-linux")
def test_a_port_that_needs_root(empty):
    prefix = ["setpriv", "--bounding-set=-net_bind_service", "--inh-caps=-all"] if os.geteuid() == 0 else []
    ran = run(
        *("up", "--http", "127.0.0.1:81", "--dns", "127.0.0.1:0"),
        cwd=empty,
        prefix=prefix,
        DEVDNS_STATE_DIR=empty / "state",
    )
    assert ran.code == 2
    assert "http 127.0.0.1:81 is not permitted for this user" in ran.error
    assert "run as root, or choose a port above 1023 with --http ADDR:PORT" in ran.error


def test_a_working_directory_that_is_gone(tmp_path):
    gone = (
        'import os, sys; os.mkdir("gone"); os.chdir("gone"); os.rmdir("../gone"); os.execv(sys.argv[1], sys.argv[1:])'
    )
    for arguments in (["up"], ["config", "check"], ["routes", "--state-dir", "state"]):
        ran = run(*arguments, cwd=tmp_path, prefix=[sys.executable, "-c", gone])
        assert (ran.code, ran.error) == (2, "the working directory is gone - go to another one with cd")


def test_a_traceback_is_for_what_nobody_foresaw(empty):
    """A plain refusal has its line; `--debug` adds nothing to it."""
    assert run("up", "-c", "nope.yml", "--debug", cwd=empty).error.startswith("config file")
    (empty / "state").mkdir()
    (empty / "state" / "control.sock").symlink_to("control.sock")  # ELOOP: nobody expects that
    for more in (["--debug"], []):
        ran = run("routes", *more, "--state-dir", empty / "state")
        assert ran.code == 1
        assert ("Traceback" in ran.err) == bool(more)
    assert "Traceback" in run("routes", "--state-dir", empty / "state", DEVDNS_DEBUG="true").err
    assert "Traceback" not in run("routes", "--state-dir", empty / "state", DEVDNS_DEBUG="false").err


def test_a_folder_of_the_project_is_not_imported_in_place_of_ours(empty):
    """`python -m` would look into the working directory first."""
    for name in ("devdns", "click", "json", "selectors"):
        (empty / f"{name}.py").write_text("raise SystemExit('imported from the project')\n")
    ran = run("up", "--dns", "192.0.2.1:53", cwd=empty, DEVDNS_STATE_DIR=empty / "state", PYTHONSAFEPATH="1")
    assert ran.code == 2
    assert "dns 192.0.2.1:53 cannot be had" in ran.error


@pytest.mark.parametrize("arguments", [["add", "\udcff", "80"], ["explain", "\udcff"], ["rm", "\udcff"]])
def test_an_argument_that_is_not_utf8_is_wrong_usage(tmp_path, arguments):
    with control(tmp_path) as state:
        ran = run(*arguments, "--state-dir", state)
    assert (ran.code, ran.out) == (2, "")
    assert "is not valid UTF-8" in ran.error


def test_variables_of_the_parts_mean_nothing_to_up(tmp_path):
    junk = {"DEVDNS_STANDALONE": "1", "DEVDNS_SUPERVISOR": "99", "DEVDNS_SOCKETS": "x=1", "DEVDNS_RUN_AS": "0:0"}
    free = ("--dns", "127.0.0.1:0", "--http", "127.0.0.1:0", "--state-dir", tmp_path / "state")
    try:
        assert run("up", "--detach", *free, cwd=tmp_path, **junk).code == 0
    finally:
        run("down", "--state-dir", tmp_path / "state")


def test_a_ca_file_that_is_not_there_is_noted(empty):
    (empty / "devdns.yml").write_text("routes:\n  x: {target: 'https://1.2.3.4', ca: /nowhere/ca.pem}\n")
    ran = run("config", "check", cwd=empty)
    assert ran.code == 0
    assert ran.out.endswith("1 route\nnote  devdns.yml:2: the CA file /nowhere/ca.pem is not there\n")
    assert "/nowhere/ca.pem is not there" in run("config", "check", "--json", cwd=empty).out
