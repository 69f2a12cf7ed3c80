"""A machine with devdns, a site behind it and sites with leaves that should not be; its stores trust the CA."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.odd_leaves import write_leaves
from support.parts import need
from support.stack import Stack, open_folder
from support.trust_room import TESTS, Room, room
from support.visit import PROFILE

HTTPS, OTHER, PLAIN, FIRST = 8443, 8999, 9000, 9001
ROUTES = f"routes: {{app: {PLAIN}, other: {OTHER}, sealed: tls://127.0.0.1:{FIRST}}}"
#: One connection would do for the browser: one certificate covers all three. `sealed` speaks TLS itself.
ASKED = ("wss://other.dev.test:{}/socket", "https://other.dev.test:{}/who", "https://sealed.dev.test:{}/who") * 2
GOOD = f"https://app.dev.test:{HTTPS}/?" + "&".join(f"ask={url.format(HTTPS)}" for url in ASKED)
NUMBERS = itertools.count()


@dataclass
class Machine:
    """`good` is served by devdns itself; `odd` are URLs by the kind of leaf they have."""

    room: Room
    good: str
    odd: dict[str, str]
    leaves: dict[str, tuple[Path, Path]]


def make_profile(home: Path) -> Path:
    """A profile of Firefox that no Firefox has used."""
    need("certutil")
    profile = home / PROFILE
    profile.mkdir(parents=True)
    subprocess.run(["certutil", "-N", "-d", f"sql:{profile}", "--empty-password"], check=True, timeout=30)
    return profile


@pytest.fixture(scope="session")
def whole():
    """A machine of its own, for all tests here: making one runs a program for each CA of the system."""
    with open_folder() as folder, room(folder) as made:
        yield made


@pytest.fixture
def bare(whole, request):
    """Somebody on that machine whose CA nobody trusts yet, with a profile of Firefox in their home."""
    person = whole.for_another(request.node.name.partition("[")[0] + str(next(NUMBERS)))
    make_profile(person.home)
    return person


@pytest.fixture(scope="session")
def machine(whole):
    """Somebody on it where `devdns up` made the CA and `devdns trust` was called."""
    flags = ("--dns", "127.0.0.1:0", "--http", "127.0.0.1:0", "--https", f"127.0.0.1:{HTTPS}")
    with Stack(whole.folder, ROUTES, *flags, prefix=whole.prefix):
        make_profile(whole.home)
        leaves = write_leaves(whole.state, whole.folder)
        with _served(whole, leaves):
            done = whole.devdns("trust", "--yes")
            assert done.code == 0, done.out + done.err
            yield Machine(whole, GOOD, _odd(leaves), leaves)
            assert whole.devdns("untrust", "--yes").code == 0


def _odd(leaves):
    hosts = {"example": "example.com", "address": "8.8.8.8"}
    kinds = enumerate(leaves)
    return {kind: f"https://{hosts.get(kind, 'app.dev.test')}:{FIRST + number}/" for number, kind in kinds}


@contextmanager
def _served(made: Room, leaves: dict[str, tuple[Path, Path]]) -> Iterator[None]:
    """The site, in the clear for devdns and with every odd leaf."""
    doors = [f"{FIRST + number},{chain},{key}" for number, (chain, key) in enumerate(leaves.values())]
    command = [*made.prefix, sys.executable, "-m", "support.secure_site", str(PLAIN), str(OTHER), *doors]
    with subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(TESTS)}, stdout=subprocess.PIPE) as site:
        try:
            assert site.stdout is not None
            assert site.stdout.readline() == b"serving\n"
            yield
        finally:
            site.kill()
