"""Kills `devdns system install` and `uninstall` at random instants, and looks what the next run makes of it.

`python system_killer.py KILLS SEED`, inside a room (`support.room`). One process imports devdns and each run is a fork of it, so
that the instants fall into the work and not into the start of Python.
"""

from __future__ import annotations

import json
import os
import random
import select
import signal
import sys
import time
from pathlib import Path

import devdns.cli.system  # noqa: F401 - the forks have it then
from devdns.cli.main import main
from support.room import picture

KINDS = ("resolv.conf", "unbound", "dnsmasq", "hosts", "networkmanager")
PORTS = ("sysctl", "off")
SYSCTL = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")


def install(chance: random.Random) -> list[str]:
    return ["install", "--yes", "--service", "off", "--resolver", chance.choice(KINDS), "--ports", chance.choice(PORTS)]


def run(words: list[str], kill_after: float | None = None) -> bool:
    """Whether it came to its end. The run must then have succeeded."""
    ours, theirs = os.pipe()
    pid = os.fork()
    if pid == 0:
        log = os.open("killer.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os._exit(main(["system", *words]))
    os.close(theirs)
    if kill_after is not None:
        select.select([ours], [], [], kill_after)
        os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    os.close(ours)
    code = os.waitstatus_to_exitcode(status)
    assert code in (0, -signal.SIGKILL), f"{words}: exit {code}\n{Path('killer.log').read_text()[-2000:]}"
    return code == 0


def machine() -> dict[str, str]:
    return {**picture(Path("/etc")), "sysctl": SYSCTL.read_text()}


def as_before(before: dict[str, str]) -> None:
    now = machine()
    assert now == before, [
        (key, before.get(key), now.get(key)) for key in now.keys() | before if now.get(key) != before.get(key)
    ]


def check(kills: int, seed: int) -> dict[str, int]:
    """Kills so many runs that were still at work; raises AssertionError for a machine that is neither as before nor installed."""
    chance = random.Random(seed)
    before, counts = machine(), {"killed": 0, "half": 0, "finished": 0, "undone": 0}
    begun = time.monotonic()
    run(install(chance))
    whole = time.monotonic() - begun
    while counts["killed"] < kills:
        words = chance.choice((install(chance), ["uninstall", "--yes"]))
        if run(words, chance.uniform(0, whole)):
            continue
        counts["killed"] += 1
        journal = Path(os.environ["DEVDNS_STATE_DIR"], "system.journal")
        counts["half"] += journal.exists() and any(
            each["phase"] != "done" for each in json.loads(journal.read_text())["entries"]
        )
        if chance.random() < 0.5:
            run(install(chance))
            run(["status"])
            counts["finished"] += 1
        else:
            run(["uninstall", "--yes"])
            as_before(before)
            counts["undone"] += 1
    run(["uninstall", "--yes"])
    as_before(before)
    return counts


if __name__ == "__main__":
    sys.stdout.write(json.dumps(check(int(sys.argv[1]), int(sys.argv[2]))) + "\n")
