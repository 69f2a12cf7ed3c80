"""The access log as a user switches it on: in the state folder, by the unprivileged proxies, several to one file."""

import json
import subprocess

import pytest
from support.stack import COMMAND, Stack, clean_environ
from support.waiting import wait_until


def lines(path):
    return [json.loads(each) for each in path.read_text().splitlines()] if path.exists() else []


def test_requests_through_two_proxies_are_lines_of_one_file(tmp_path):
    with Stack(tmp_path, "http: {access_log: true}", workers=2) as stack:
        for number in range(30):
            assert stack.get("nobody.dev.test", f"/{number}")[0] == 404
        path = stack.state / "access.log"
        wait_until(lambda: len(lines(path)) == 30, what="thirty lines")
        assert sorted(int(each["target"][1:]) for each in lines(path)) == list(range(30))
        assert {each["status"] for each in lines(path)} == {404}
        stack.get("nobody.dev.test", "/last")
    assert lines(path)[-1]["target"] == "/last"  # an orderly stop writes what waits


@pytest.mark.parametrize("path", ["/proc/no/where.log", "."])
def test_a_file_that_cannot_be_had_is_said_at_the_start(tmp_path, path):
    environ = clean_environ(DEVDNS_STATE_DIR=str(tmp_path / "state"), DEVDNS_ACCESS_LOG=path)
    up = [*COMMAND, "up", "--dns", "127.0.0.1:0", "--http", "127.0.0.1:0"]
    done = subprocess.run(up, env=environ, cwd=tmp_path, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 2
    assert f"the access log '{path}' cannot be opened" in done.stderr
    assert "Traceback" not in done.stderr
