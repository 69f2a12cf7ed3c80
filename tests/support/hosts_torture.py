"""Two writers of one hosts file that are killed again and again: what is not theirs has to stay, to the byte."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from devdns.system import hosts, hosts_file

WRITER = Path(__file__).with_name("hosts_writer.py")
OWNERS = ("one", "two")


def foreign(lines: int, end: str = "\n") -> bytes:
    """Entries of others, with a comment and without an end of the last line."""
    rows = [
        "127.0.0.1 localhost",
        "# a comment \xe9",
        *(f"10.0.{at // 256}.{at % 256} host{at}" for at in range(lines)),
    ]
    return end.join(rows).encode()


def torture(path: Path, content: bytes, *, changes: int, kills: int, prefix: Sequence[str] = (), seed: int = 1) -> None:
    """`changes` by each of two writers, each killed `kills` times at a random instant; raises AssertionError for a lost byte."""
    chance = random.Random(seed)
    path.write_bytes(content)
    left = dict.fromkeys(OWNERS, changes)
    killed = 0
    while any(left.values()):
        writers = [(owner, _writer(path, owner, left[owner], prefix)) for owner in OWNERS if left[owner]]
        for owner, writer in writers:
            assert writer.stdout is not None
            last = min(left[owner], chance.randint(1, max(2, 2 * changes // max(1, kills))))
            seen = [line for line, _ in zip(writer.stdout, range(last), strict=False)]
            if len(seen) < left[owner]:
                writer.send_signal(signal.SIGKILL)
                killed += 1
            left[owner] -= len(seen)
        for owner, writer in writers:
            _, errors = writer.communicate(timeout=30)
            assert writer.returncode in (0, -signal.SIGKILL), (owner, errors)
        check(path, content)
    assert killed >= min(kills, 2)
    for owner in OWNERS:
        hosts_file.change(path, partial(hosts.without_block, owner=owner))
    assert path.read_bytes() == content
    assert [each for each in path.parent.iterdir() if "devdns" in each.name] == []


def check(path: Path, content: bytes) -> None:
    """Takes the lock once, as the next writer does, and looks whether all that is not ours is there."""
    hosts_file.change(path, lambda text: text)
    text = path.read_bytes()
    for owner in OWNERS:
        text = hosts.without_block(text, owner)
    assert text.rstrip(b"\r\n") == content.rstrip(b"\r\n")


def _writer(path: Path, owner: str, count: int, prefix: Sequence[str]) -> subprocess.Popen[bytes]:
    command = [*prefix, sys.executable, str(WRITER), str(path), owner, str(count)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
