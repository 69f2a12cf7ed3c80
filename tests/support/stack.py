"""A running devdns of our own: started by the real command on free ports with a state folder of its own."""

import contextlib
import http.client
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from support.waiting import wait_until

COMMAND = [sys.executable, "-m", "devdns.cli.main"]
START_BOUND = 20.0
STOP_BOUND = 20.0
QUIET = {"DEVDNS_DOCKER_ENABLED": "false", "DEVDNS_MDNS_ENABLED": "false", "DEVDNS_HTTPS": "off"}


@contextlib.contextmanager
def open_folder():
    """A folder that the unprivileged children of a root supervisor may walk to, as a project's folder is."""
    with tempfile.TemporaryDirectory(prefix="devdns-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def clean_environ(**more):
    """The environment without anything of devdns in it, Docker and mDNS off unless asked for."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("DEVDNS_", "SUDO_"))}
    return {**kept, **QUIET, **more}


class Stack:
    """`with Stack(folder, routes="api: 5173") as stack:` - ready inside, stopped in order after."""

    command = COMMAND

    def __init__(self, folder: Path, config="", *flags, prefix=(), workers=1, stderr=None, **environ):
        self.folder, self.state = folder, folder / "state"
        self.config = folder / "devdns.yml"
        self.config.write_text(config)
        self.environ = clean_environ(DEVDNS_STATE_DIR=str(self.state), DEVDNS_CONFIG=str(self.config), **environ)
        self.arguments = [
            "up",
            *(flags or ("--dns", "127.0.0.1:0", "--http", "127.0.0.1:0")),
            "--workers",
            str(workers),
        ]
        self.prefix = list(prefix)
        self.lines = []
        self._stderr = stderr

    def __enter__(self):
        self.errors = (self.folder / "stderr.log").open("wb")
        self.process = subprocess.Popen(
            [*self.prefix, *self.command, *self.arguments],
            env=self.environ,
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=self.errors if self._stderr is None else self._stderr,
            stdin=subprocess.DEVNULL,
        )
        try:
            self._await_ready()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.terminate()
        try:
            self.process.wait(STOP_BOUND)
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()
            self.process.stdout.close()
            self.errors.close()

    def _await_ready(self):
        deadline = time.monotonic() + START_BOUND
        os.set_blocking(self.process.stdout.fileno(), False)
        buffer = b""
        while b"\nready" not in b"\n" + buffer:  # the line, not a word of another one
            left = deadline - time.monotonic()
            assert left > 0, f"not ready in {START_BOUND} s: {buffer!r} {self.log()}"
            select.select([self.process.stdout], [], [], left)
            piece = self.process.stdout.read()
            assert piece != b"", f"ended before it was ready: {buffer!r} {self.log()}"
            buffer += piece or b""
        self.lines = buffer.decode().splitlines()

    def log(self):
        """What it wrote to standard error."""
        return (self.folder / "stderr.log").read_text()

    @property
    def facts(self):
        return json.loads((self.state / "supervisor.json").read_text())

    @property
    def dns(self):
        return tuple(self.facts["listeners"]["dns"][0])

    @property
    def http(self):
        return tuple(self.facts["listeners"]["http"][0])

    def pid(self, name):
        """The process id of a child (`control`, `resolver`, `proxy-1`)."""
        return next(each["pid"] for each in self.facts["processes"] if each["name"] == name)

    def kill(self, name):
        """SIGKILL; returns once the supervisor has started another."""
        pid = self.pid(name)
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: self.pid(name) not in (pid, None), what=f"restart of {name}")

    def running(self, name):
        return any(each["name"] == name and each["state"] == "running" for each in self.facts["processes"])

    def run(self, *arguments, check=None, **environ):
        """Another devdns command against this stack."""
        ran = subprocess.run(
            [*self.command, *arguments],
            env={**self.environ, **environ},
            capture_output=True,
            text=True,
            timeout=30,
            cwd=self.folder,
            check=False,
        )
        if check is not None:
            assert ran.returncode == check, f"{arguments}: exit {ran.returncode}\n{ran.stdout}\n{ran.stderr}"
        return ran

    def json(self, *arguments):
        return json.loads(self.run(*arguments, "--json", check=0).stdout)

    def get(self, host, path="/", method="GET", body=None, headers=None):
        """(status, body) of one request on a new connection to the proxy, as a foreign client sends it."""
        connection = http.client.HTTPConnection(*self.http, timeout=10)
        with contextlib.closing(connection):
            connection.request(method, path, body, {"Host": host, **(headers or {})})
            answer = connection.getresponse()
            return answer.status, answer.read()

    def dig(self, name, kind="A", *flags):
        """The lines of `dig +short` against the resolver."""
        host, port = self.dns
        asked = ["dig", f"@{host}", "-p", str(port), "+short", "+tries=1", "+time=3", *flags, name, kind]
        return subprocess.run(asked, capture_output=True, text=True, check=True, timeout=10).stdout.split("\n")[:-1]

    def serves(self, host, body, status=200):
        """True once `host` answers with this body; for `wait_until`."""
        with contextlib.suppress(OSError, http.client.HTTPException):
            return self.get(host) == (status, body)
        return False
