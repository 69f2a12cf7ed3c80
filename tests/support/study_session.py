"""`devdns study session` in a process of its own, and what its database says meanwhile."""

import contextlib
import signal
import sqlite3
import subprocess

from support.cli import COMMAND, run
from support.stack import clean_environ

PARAMETERS = """
institution = "University of Somewhere"
researcher = "A. Researcher"
contact = "study@example.org"
ethics = "the board of informatics, 2026-17"
retention = "5 years"
withdraw_by = "1 June 2027"
minutes = 60
"""


def planned(folder, *, approaches="devdns,ports", tasks="port-changed,no-answer", participants=2):
    """A database with a plan; returns its path."""
    (folder / "study.toml").write_text(PARAMETERS)
    data = folder / "study.sqlite"
    chosen = ["--approaches", approaches, "--tasks", tasks, "--participants", participants]
    done = run("study", "plan", "--data", data, "--parameters", folder / "study.toml", *chosen)
    assert done.code == 0, done.err
    return data


class Session:
    """`with Session(data, "P01") as session:` serves at `session.url`; `kill` is SIGKILL."""

    def __init__(self, data, participant, *flags):
        self.data = data
        words = [*COMMAND, "study", "session", participant, "--data", str(data), "--synthetic", *flags]
        self.process = subprocess.Popen(
            words,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
            env=clean_environ(),
        )

    def __enter__(self):
        line = self.process.stdout.readline()
        assert line.startswith("open http://127.0.0.1:"), line + self.process.stderr.read()
        self.url = line.split()[1]
        return self

    def __exit__(self, *_):
        if not self.process.stdout.closed:
            self.end(signal.SIGTERM)

    def kill(self):
        self.end(signal.SIGKILL)

    def end(self, number=None):
        """Ends it by a signal, or waits for its own end; returns (exit code, what it said)."""
        if number is not None and self.process.poll() is None:
            self.process.send_signal(number)
        with contextlib.closing(self.process.stdout), contextlib.closing(self.process.stderr):
            code = self.process.wait(30)
            return code, self.process.stdout.read() + self.process.stderr.read()


def rows(data, query, *values):
    """What the database says, read beside the session."""
    with contextlib.closing(sqlite3.connect(data)) as database:
        return database.execute(query, values).fetchall()
