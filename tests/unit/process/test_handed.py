"""Sockets of whoever started us (sd_listen_fds(3)): taken by name, and nothing else is bound for their role."""

import json
import os
import subprocess
import sys
from contextlib import ExitStack

import pytest

from devdns.handed import handed
from devdns.listeners import Wanted, bind_dns, bind_tcp, open_listeners

ASK = """
import json, os
from devdns.core.errors import UsageRefused
from devdns.handed import handed
os.environ["LISTEN_PID"] = str(os.getpid() + int(os.environ["OFF"]))
try:
    print(json.dumps([[name, *sock.getsockname(), sock.getblocking(), sock.get_inheritable()] for name, sock in handed(os.environ)]))
except UsageRefused as refused:
    print(json.dumps(str(refused)))
"""


def asked(names, sockets, off=0, count=None):
    """What a process makes of these sockets, which it finds from descriptor 3 on."""
    moved = "".join(f"os.dup2({each.fileno()}, {100 + at}, True);" for at, each in enumerate(sockets))
    shift = "".join(f"os.dup2({100 + at}, {3 + at}, True);" for at in range(len(sockets)))
    script = f"import os, sys; {moved} {shift} os.execv(sys.executable, [sys.executable, '-c', {ASK!r}])"
    environ = {**os.environ, "LISTEN_FDS": count or str(len(sockets)), "LISTEN_FDNAMES": names, "OFF": str(off)}
    fds = [each.fileno() for each in sockets]
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=environ,
        pass_fds=fds,
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    return json.loads(done.stdout)


@pytest.fixture
def sockets():
    with ExitStack() as stack:
        (_, udp), (_, tcp) = bind_dns("127.0.0.1", 0)
        found = [udp, tcp, bind_tcp("127.0.0.1", 0)]
        for each in found:
            stack.enter_context(each)
        yield found


def test_they_are_found_by_name_and_are_ours_alone(sockets):
    found = asked("dns-udp:dns-tcp:http", sockets)
    assert [each[0] for each in found] == ["dns-udp", "dns-tcp", "http"]
    assert [tuple(each[1:3]) for each in found] == [each.getsockname() for each in sockets]
    assert {tuple(each[3:]) for each in found} == {(False, False)}


def test_what_is_for_another_process_is_left_alone(sockets):
    assert asked("dns-udp:dns-tcp:http", sockets, off=1) == []
    assert handed({}) == []


@pytest.mark.parametrize(
    ("names", "count"), [("dns-tcp:dns-udp:http", "3"), ("a:b:c", "3"), ("http:http", "3"), ("http", "x"), ("", "3")]
)
def test_what_nobody_would_serve_is_refused(sockets, names, count):
    assert "FileDescriptorName" in (said := asked(names, sockets, count=count)) or "LISTEN_FDS" in said


def test_a_role_with_handed_sockets_is_not_bound_and_one_that_nobody_wants_is_closed(sockets):
    udp, tcp, web = sockets
    more = bind_tcp("127.0.0.1", 0)
    named = [("dns-udp", udp), ("dns-tcp", tcp), ("http", web), ("https", more)]
    opened = open_listeners([Wanted("dns", (("192.0.2.1", 53),)), Wanted("http", (("192.0.2.1", 80),))], named)
    assert opened.addresses["dns"] == [udp.getsockname()]
    assert opened.addresses["http"] == [web.getsockname()]
    assert [name for name, _ in opened.sockets] == ["dns-udp", "dns-tcp", "http"]
    assert more.fileno() == -1
