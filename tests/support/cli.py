"""The command in a process of its own, and a control process for it to talk to."""

import contextlib
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from support.stack import clean_environ
from support.waiting import wait_until

COMMAND = [sys.executable, "-m", "devdns.cli.main"]
BOUND = 30.0


@dataclass
class Ran:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def error(self):
        """The one line on stderr, without the program's name."""
        lines = self.err.splitlines()
        assert len(lines) == 1, self.err
        assert lines[0].startswith("devdns: "), self.err
        return lines[0].removeprefix("devdns: ")


def run(*arguments, cwd=None, prefix=(), **environ):
    """Runs `devdns ARGUMENTS` to its end, without a terminal; no DEVDNS_ variable but those given."""
    variables = clean_environ(**{name: str(value) for name, value in environ.items()})
    done = subprocess.run(
        [*prefix, *COMMAND, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=BOUND,
        cwd=cwd,
        env=variables,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    return Ran(done.returncode, done.stdout, done.stderr)


@contextlib.contextmanager
def control(folder: Path, routes: str = ""):
    """A real control process alone (no resolver, no proxy) with its state folder in `folder`; yields that folder."""
    state, config = folder / "state", folder / "devdns.yml"
    config.write_text(routes)
    command = [*COMMAND, "control", "--state-dir", str(state), "-c", str(config)]
    with (folder / "control.log").open("wb") as log:
        process = subprocess.Popen(command, env=clean_environ(), stdout=log, stderr=log, stdin=subprocess.DEVNULL)
    try:
        wait_until(lambda: _answers(state / "control.sock"), what="control.sock")
        yield state
    finally:
        process.terminate()
        process.wait(BOUND)


def _answers(path):
    with socket.socket(socket.AF_UNIX) as sock, contextlib.suppress(OSError):
        sock.connect(str(path))
        return True
    return False
