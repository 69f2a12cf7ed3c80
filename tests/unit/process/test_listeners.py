import errno
import os
import socket
import stat
import sys
from contextlib import ExitStack, suppress

import pytest

from devdns.core.errors import UsageRefused
from devdns.listeners import Wanted, bind_dns, bind_tcp, bind_unix, open_listeners, show


def test_dns_listens_on_one_port_over_udp_and_tcp():
    (_, udp), (_, tcp) = bind_dns("127.0.0.1", 0)
    with udp, tcp:
        assert udp.getsockname() == tcp.getsockname()


def test_a_busy_default_falls_back_alone_and_says_who_holds_it():
    with bind_tcp("127.0.0.1", 0) as busy:
        taken = busy.getsockname()
        opened = open_listeners(
            [
                Wanted("http", (taken, ("127.0.0.1", 0))),
                Wanted("dns", (("127.0.0.1", 0),)),
            ]
        )
        try:
            assert len(opened.addresses["http"]) == len(opened.addresses["dns"]) == 1
            assert opened.addresses["http"][0] != taken
            assert [name for name, _ in opened.sockets] == ["http", "dns-udp", "dns-tcp"]
            assert len(opened.notes) == 1
            assert f"{show(taken)} is taken by" in opened.notes[0]
            assert f"(pid {os.getpid()})" in opened.notes[0]
        finally:
            opened.close()


@pytest.mark.parametrize("role", ["dns", "http"])
def test_an_explicit_busy_address_is_refused_with_the_culprit_and_the_mend(role):
    with bind_tcp("127.0.0.1", 0) as busy:
        with pytest.raises(UsageRefused) as refused:
            open_listeners([Wanted(role, (busy.getsockname(),))])
        assert f"(pid {os.getpid()})" in refused.value.message
        assert f"--{role}" in refused.value.hint
        assert refused.value.exit_code == 2


def test_an_address_of_another_machine_is_refused():
    with pytest.raises(UsageRefused, match="cannot be had"):
        open_listeners([Wanted("http", (("192.0.2.1", 0),))])


def test_an_optional_listener_may_be_missing():
    opened = open_listeners([Wanted("http", (("2001:db8::1", 0),), optional=True)])
    assert opened.sockets == []
    assert "is not there" in opened.notes[0]


def test_both_families_get_the_same_port_of_a_name():
    with bind_tcp("127.0.0.1", 0) as busy, bind_tcp("127.0.0.1", 0) as other:
        taken, free = busy.getsockname()[1], other.getsockname()[1]
        other.close()
        opened = open_listeners(
            [
                Wanted("http", (("127.0.0.1", taken), ("127.0.0.1", free))),
                Wanted("http", (("::1", taken), ("::1", free)), optional=True),
            ]
        )
    try:
        assert opened.addresses["http"] == [("127.0.0.1", free), ("::1", free)]
    finally:
        opened.close()


def test_without_the_port_of_the_first_family_the_second_goes_without():
    with bind_tcp("::1", 0) as busy, bind_tcp("127.0.0.1", 0) as first:
        taken = busy.getsockname()[1]
        first.close()
        opened = open_listeners(
            [
                Wanted("http", (("127.0.0.1", taken),)),
                Wanted("http", (("::1", taken), ("::1", 0)), optional=True),
            ]
        )
    try:
        assert opened.addresses["http"] == [("127.0.0.1", taken)]
        assert "going on without" in opened.notes[0]
    finally:
        opened.close()


def test_all_or_nothing_a_refusal_leaves_no_socket_open():
    with bind_tcp("127.0.0.1", 0) as free:
        address = free.getsockname()
    with pytest.raises(UsageRefused):
        open_listeners([Wanted("http", (address,)), Wanted("http", (("192.0.2.1", 0),))])
    with bind_tcp(*address) as again:
        assert again.getsockname() == address


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux spreads connections over listeners of one address")
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_connections_spread_over_the_listeners_of_one_address_which_nobody_else_can_have(host):
    opened = open_listeners([Wanted("http", ((host, 0),))])
    with ExitStack() as clients:
        address = opened.addresses["http"][0]
        given = opened.spread("http", 3)
        assert [[name for name, _ in each] for each in given] == [["http"]] * 3
        for _ in range(60):
            clients.enter_context(socket.create_connection(address))
        assert min(len(list(accepted(each[0][1]))) for each in given) > 0
        with pytest.raises(OSError, match="in use"):
            bind_tcp(*address)
        opened.close()
        assert all(sock.fileno() == -1 for each in given for _, sock in each)


def accepted(listener):
    with suppress(BlockingIOError):
        while True:
            connection, _ = listener.accept()
            connection.close()
            yield connection


def test_one_process_has_the_listeners_alone():
    opened = open_listeners([Wanted("http", (("127.0.0.1", 0),))])
    assert opened.spread("http", 1) == [opened.sockets]
    assert not opened.sockets[0][1].getsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT)
    opened.close()


def test_a_unix_socket_is_ours_alone_and_replaces_a_stale_one(tmp_path):
    path = tmp_path / "control.sock"
    bind_unix(str(path)).close()
    with bind_unix(str(path)), socket.socket(socket.AF_UNIX) as client:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert client.connect_ex(str(path)) in (0, errno.EINPROGRESS)
