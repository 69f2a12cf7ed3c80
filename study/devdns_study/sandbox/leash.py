"""Runs a program that must not outlive the session: `python -m devdns_study.sandbox.leash LAST COMMAND...`.

When standard input ends, for whatever reason, the program is stopped in order, then killed; LAST, a JSON list of words, is
run at the end when it is not empty (a container is not a child of the command that made it). Without a COMMAND it only waits
for that end. Standard library only.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading

PATIENCE = 10.0


def hold(last: list[str], command: list[str]) -> int:
    """Returns the exit code of the command, once it ended or was ended."""
    code = _run(command) if command else len(sys.stdin.buffer.read())
    if last:
        subprocess.run(last, stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE, check=False)  # noqa: S603
    return code


def _run(command: list[str]) -> int:
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL)  # noqa: S603 - a command of ours, no shell
    threading.Thread(target=_wait_for_the_end, args=(child,), daemon=True).start()
    return child.wait()


def _wait_for_the_end(child: subprocess.Popen[bytes]) -> None:
    sys.stdin.buffer.read()
    child.terminate()
    try:
        child.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        child.kill()


if __name__ == "__main__":
    sys.exit(hold(json.loads(sys.argv[1]), sys.argv[2:]))
