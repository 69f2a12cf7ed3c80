"""`devdns trust` and `untrust` killed at random instants: the next run finishes, or brings back every byte of the system's store."""

from __future__ import annotations

import random
import signal
import subprocess
import time

import pytest
from support.cli import COMMAND
from support.stack import clean_environ, open_folder
from support.trust_room import room, write_ca

from devdns.system import nss
from devdns.system.certificate import read

pytestmark = [pytest.mark.evidence, pytest.mark.netns, pytest.mark.timeout(1800)]
KILLS = 100
SEED = 7


def _killed(machine, command, after):
    """Runs the command, all its programs with it, and ends it after so many seconds; True where it was still at it."""
    started = subprocess.Popen(
        [*machine.prefix, *COMMAND, command, "--yes", "--state-dir", str(machine.state)],
        env=clean_environ(HOME=str(machine.home)),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        started.wait(after)
    except subprocess.TimeoutExpired:
        started.send_signal(signal.SIGKILL)
        started.wait()
        return True
    return False


def _whole(machine, command):
    begun = time.monotonic()
    done = machine.devdns(command, "--yes")
    assert done.code == 0, done.out + done.err
    return time.monotonic() - begun


def test_no_instant_of_death_leaves_a_machine_half_trusting():
    with open_folder() as folder, room(folder) as machine:
        write_ca(machine.state)
        before, ca = machine.stores(), read(machine.state / "ca.pem")
        longest = _whole(machine, "trust")
        trusting = machine.stores()
        longest = max(longest, _whole(machine, "untrust"))
        chance, killed = random.Random(SEED), 0
        for number in range(KILLS):
            first, second = chance.choice([("trust", "untrust"), ("untrust", "trust")])
            killed += _killed(machine, first, chance.uniform(0.1, longest))
            last = chance.choice([first, second])
            _whole(machine, last)
            assert machine.stores() == (trusting if last == "trust" else before), f"round {number}: {first}, {last}"
            store = machine.home / ".pki/nssdb"
            assert (store.exists() and nss.trusts(store, ca.der)) is (last == "trust")
        _whole(machine, "untrust")
        assert machine.stores() == before
        assert list(machine.home.iterdir()) == []
    print(f"{killed} of {KILLS} runs of trust and untrust killed on their way (seed {SEED}): none left a difference")
    assert killed > KILLS / 4
