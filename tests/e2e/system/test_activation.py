"""devdns started by the first request, on sockets that systemd opened: by the program that systemd has for trying its units."""

from __future__ import annotations

import contextlib
import http.client
import json
import subprocess

from support.parts import need
from support.ports import free_port
from support.stack import COMMAND, clean_environ, open_folder
from support.waiting import wait_until


def test_the_request_that_starts_devdns_is_answered_by_it():
    need("systemd-socket-activate")
    port = free_port()
    with open_folder() as folder:
        environ = clean_environ(DEVDNS_STATE_DIR=str(folder / "state"))
        names = [f"--setenv={name}" for name in environ if name.startswith("DEVDNS_")]
        activate = ["systemd-socket-activate", f"--listen=127.0.0.1:{port}", "--fdname=http", *names, "--setenv=HOME"]
        devdns = [*COMMAND, "up", "--dns", "127.0.0.1:0", "--workers", "2"]
        with (
            (folder / "log").open("wb") as log,
            subprocess.Popen([*activate, *devdns], env=environ, cwd=folder, stdout=log, stderr=log) as process,
        ):
            try:
                assert wait_until(lambda: _asked(port), what="the socket") == 404
                facts = json.loads((folder / "state" / "supervisor.json").read_text())
                ours = [each for each in facts["listeners"]["http"] if each[0].startswith("127.")]
                assert ours == [["127.0.0.1", port]]
                assert facts["pid"] == process.pid
            finally:
                process.terminate()
                process.wait(20)
        assert b"starting it again" not in (folder / "log").read_bytes()


def _asked(port: int) -> int | None:
    """The status of one request; None while nobody listens."""
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=20)) as connection:
        try:
            connection.request("GET", "/", headers={"Host": "api.dev.test"})
        except ConnectionRefusedError:
            return None
        return connection.getresponse().status
