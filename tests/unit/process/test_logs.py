import json
import os
import subprocess
import sys

import pytest

from devdns.process.logs import guard

HOSTILE = "a\nb\x1b[31mred\x9b0m\u202ertl\u2066\x00"


def test_hostile_text_is_escaped():
    said = guard(None, "info", {"event": HOSTILE, "names": [HOSTILE], "n": 3})
    assert said["event"] == said["names"][0] == r"a\nb\x1b[31mred\x9b0m\u202ertl\u2066\x00"
    assert said["n"] == 3


@pytest.mark.parametrize("key", ["token", "api_key", "Authorization", "db_password", "key", "client_secret"])
def test_secrets_are_never_written(key):
    assert guard(None, "info", {key: "hunter2"}) == {key: "hidden"}


def test_off_a_terminal_each_event_is_one_line_of_json():
    code = (
        "import structlog; from devdns.process import logs; logs.configure('proxy');"
        f"structlog.get_logger().warning({HOSTILE!r}, host={HOSTILE!r}, hint='')"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    (line,) = ran.stderr.splitlines()
    assert list(json.loads(line)) == ["timestamp", "level", "part", "event", "host"]
    assert json.loads(line)["part"] == "proxy"
    assert "\x1b" not in line


@pytest.mark.parametrize("where", ["/dev/full", "a pipe nobody reads", "closed"])
def test_a_line_that_cannot_be_written_is_lost_and_nothing_fails(where):
    read, write = os.pipe()
    os.close(read)
    target = os.open("/dev/full", os.O_WRONLY) if where == "/dev/full" else os.dup(write)
    os.close(write)
    close = "os.close(2);" if where == "closed" else ""
    code = (
        f"import os, structlog; from devdns.process import logs; {close} logs.configure('proxy');"
        "log = structlog.get_logger(); log.info('lost'); log.error('lost'); log.critical('lost', exc_info=True); print('alive')"
    )
    ran = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=target, text=True, check=False)
    os.close(target)
    assert (ran.returncode, ran.stdout) == (0, "alive\n")
