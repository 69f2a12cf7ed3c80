"""Runs the programs that change a store: bounded, without a terminal to ask on, as the user whose files they touch."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence

from devdns.core.errors import DevdnsError
from devdns.system.trust_find import program

SECONDS = 60.0  # update-ca-certificates with the hook of Java takes a while on a slow machine
User = tuple[int, int]


def run(command: Sequence[str], *, user: User | None = None, stdin: bytes = b"") -> str:
    """What the program said on stdout; `user` (uid, gid) is for root only. Raises `DevdnsError` in one line."""
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
