"""Real PostgreSQL and Redis servers as processes, each with its own folder, perhaps inside namespaces (`prefix`)."""

import contextlib
import os
import pwd
import shutil
import subprocess
from pathlib import Path

from support.waiting import wait_until

BINARIES = Path("/usr/lib/postgresql")
#: initdb takes a second: once for all clusters of a run.
FAST = ("-c", "fsync=off", "-c", "shared_buffers=1MB", "-c", "max_connections=20", "-c", "unix_socket_directories=")


def postgres_program(name):
    """The path of a program of the newest PostgreSQL here."""
    return str(max(BINARIES.glob(f"*/bin/{name}")))


class Server:
    """A server program: `start`, `stop` as often as wanted; `end` at last."""

    def __init__(self, prefix=()):
        self.prefix = list(prefix)
        self.process = None

    def start(self):
        log = (self.folder / "log").open("ab")
        with log:
            self.process = subprocess.Popen(
                [*self.prefix, *self.command()], stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/"
            )
        wait_until(self.answers, 20, f"an answer of {self.command()[0]}")
        return self

    def stop(self):
        """SIGINT, which both take as a wish to end soon and in order."""
        self.process.send_signal(2)
        self.process.wait(15)

    def end(self):
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def asked(self, *command):
        done = subprocess.run([*self.prefix, *command], capture_output=True, text=True, check=False, timeout=10)
        return done.stdout.strip()


class Redis(Server):
    def __init__(self, folder, port, prefix=()):
        super().__init__(prefix)
        self.folder, self.port = folder, port
        folder.mkdir()

    def command(self):
        options = ("--bind", "127.0.0.1", "--port", str(self.port), "--save", "", "--dir", str(self.folder))
        return ["redis-server", *options, "--daemonize", "no"]

    def answers(self):
        return self.asked("redis-cli", "-p", str(self.port), "ping") == "PONG"


class Postgres(Server):
    """`name` is what it says in `show cluster_name`; it runs as the user postgres, because it refuses root."""

    def __init__(self, folder, name, port, prefix=()):
        super().__init__(prefix)
        self.folder, self.name, self.port = folder, name, port

    @staticmethod
    def made(folder, like=None):
        """A fresh cluster in `folder`, or a copy of a stopped one."""
        user = pwd.getpwnam("postgres") if os.geteuid() == 0 else None
        if like is not None:
            shutil.copytree(like, folder)
        else:
            folder.mkdir()
            if user:
                os.chown(folder, user.pw_uid, user.pw_gid)
            options = ("-A", "trust", "-U", "me", "-E", "UTF8", "--no-locale", "--no-sync")
            command = [*as_postgres(), postgres_program("initdb"), "-D", str(folder), *options]
            subprocess.run(command, check=True, capture_output=True, cwd="/")
        if user:
            for each in (folder, *folder.rglob("*")):
                os.chown(each, user.pw_uid, user.pw_gid)
        folder.chmod(0o700)
        return folder

    def command(self):
        where = ("-D", str(self.folder), "-h", "127.0.0.1", "-p", str(self.port))
        return [*as_postgres(), postgres_program("postgres"), *where, "-c", f"cluster_name={self.name}", *FAST]

    def answers(self):
        return self.says(f"host=127.0.0.1 port={self.port}") == self.name

    def says(self, where):
        """Its name, asked by psql."""
        return self.asked("psql", "-X", "-A", "-t", f"{where} user=me dbname=postgres", "-c", "show cluster_name")


def as_postgres():
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.geteuid() == 0 else []


@contextlib.contextmanager
def ended(*servers):
    """Ends them all, whatever happened."""
    try:
        yield servers
    finally:
        for server in servers:
            server.end()
