"""Asks as programs do, each time with a bound: the system's resolver, our own, and a Docker Engine. Changes nothing."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from contextlib import suppress
from time import perf_counter

from devdns.demo.dns import NoAnswer, ask
from devdns.doctor.facts import Address, Answer, Engine

#: glibc tries each server for 5 s, twice; somebody who waits for an answer here gives up sooner.
SECONDS = 6.0
CONNECTING = 1.0
#: A process of its own, because getaddrinfo cannot be stopped.
LOOK_UP = """
import json, socket, sys
try:
    found = socket.getaddrinfo(sys.argv[1], None, type=socket.SOCK_STREAM)
    print(json.dumps([list(dict.fromkeys(place[0] for *_, place in found)), ""]))
except OSError as error:
    print(json.dumps([[], error.strerror or str(error)]))
"""


def system(name: str, seconds: float = SECONDS) -> Answer:
    """What getaddrinfo(3) says of the name, as any program of this machine hears it."""
    start = perf_counter()
    try:
        done = subprocess.run(  # noqa: S603 - our own interpreter; the name is a word of its own
            [sys.executable, "-I", "-S", "-c", LOOK_UP, name], capture_output=True, timeout=seconds, check=False
        )
        addresses, failure = json.loads(done.stdout)
    except subprocess.TimeoutExpired:
        addresses, failure = [], f"no answer within {seconds:.0f} s"
    except (OSError, ValueError):
        addresses, failure = [], "it could not be asked"
    return Answer(tuple(addresses), failure, round((perf_counter() - start) * 1000, 2))


def direct(name: str, server: Address) -> Answer:
    """What our resolver says, asked over UDP."""
    start = perf_counter()
    addresses, failure = tuple[str, ...](), ""
    try:
        addresses = (ask(name, server),)
    except NoAnswer as error:
        failure = str(error)
    return Answer(addresses, failure, round((perf_counter() - start) * 1000, 2))


def engine(url: str, *, asked: bool) -> Engine | None:
    """Whether a Docker Engine takes a connection; None for a way that cannot be tried so (ssh)."""
    kind, _, place = url.partition("://")
    if kind not in ("unix", "tcp"):
        return None
    family = socket.AF_UNIX if kind == "unix" else socket.AF_INET6 if place.startswith("[") else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as client:
        client.settimeout(CONNECTING)
        try:
            client.connect(place if kind == "unix" else _pair(place))
        except PermissionError:
            return Engine(url, asked, "this user may not", refused=True)
        except (OSError, ValueError) as error:
            return Engine(url, asked, str(getattr(error, "strerror", None) or error).lower())
        with suppress(OSError):
            client.shutdown(socket.SHUT_RDWR)
    return Engine(url, asked)


def _pair(place: str) -> Address:
    host, _, port = place.rstrip("/").rpartition(":")
    return host.strip("[]"), int(port)
