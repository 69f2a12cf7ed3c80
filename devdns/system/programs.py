"""Runs the programs that change a store: bounded, without a terminal to ask on, as the user whose files they touch."""

from __future__ import annotations

import fcntl
import os
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from devdns.core.errors import DevdnsError
from devdns.system.trust_find import program

SECONDS = 60.0  # update-ca-certificates with the hook of Java takes a while on a slow machine
TURN = 0.02
User = tuple[int, int]


@contextmanager
def alone(folder: Path) -> Iterator[int]:
    """One run of devdns at a time changes what is in this folder; yields the lock, for the programs that it starts.

    They hold it, too: where devdns is killed and a program of its goes on, the next run waits for its end. The folder may
    not be there yet. Raises `DevdnsError` after `SECONDS`.
    """
    there = next(each for each in (folder, *folder.parents) if each.is_dir())
    lock, until = os.open(there, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC), time.monotonic() + SECONDS
    try:
        while not _locked(lock):
            if time.monotonic() > until:
                raise DevdnsError(f"another run of devdns still changes {folder}", "try again")
            time.sleep(TURN)
        yield lock
    finally:
        os.close(lock)


def _locked(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def run(command: Sequence[str], *, lock: int | None = None, user: User | None = None, stdin: bytes = b"") -> str:
    """What the program said on stdout; it holds `lock` while it runs. `user` (uid, gid) is for root only.

    Raises `DevdnsError` in one line.
    """
    found = program(command[0])
    if found is None:
        raise DevdnsError(f"{command[0]} is missing")
    as_user = {"user": user[0], "group": user[1], "extra_groups": []} if user and os.geteuid() == 0 else {}
    try:
        done = subprocess.run(  # noqa: S603 - an argument list of ours, no shell
            [found, *command[1:]],
            input=stdin,
            capture_output=True,
            timeout=SECONDS,
            check=False,
            pass_fds=() if lock is None else (lock,),
            start_new_session=True,  # certutil would ask for a password on the terminal
            **as_user,  # type: ignore[call-overload] # keywords that are there or not
        )
    except subprocess.TimeoutExpired:
        raise DevdnsError(f"{command[0]} did not end within {SECONDS:.0f} s") from None
    except OSError as error:
        raise DevdnsError(f"{command[0]} cannot be run: {error.strerror}") from None
    if done.returncode:
        said = (done.stderr or done.stdout).decode("utf-8", "replace").split("\n")[0].strip()
        raise DevdnsError(f"{' '.join(command[:2])} failed: {said or f'exit code {done.returncode}'}")
    return str(done.stdout.decode("utf-8", "replace"))
