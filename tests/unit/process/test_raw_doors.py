"""Doors of raw TCP: what the supervisor binds when control asks, and what it never binds."""

import errno
import socket

import pytest
from support.ports import free_port

from devdns import raw_doors
from devdns.raw_doors import DoorsRefused, RawDoors, places, read, why

HOST, OTHER = "127.77.255.1", "127.77.255.2"


@pytest.fixture
def doors():
    made = RawDoors({"dns": [("127.0.0.1", 53)], "http": [("127.0.0.1", free_port())]})
    yield made
    made.close()


def named(sockets):
    return sorted((name, sock.getsockname()[0]) for name, sock in sockets)


def test_a_door_is_opened_with_our_http_beside_it_and_closed_with_it(doors):
    port = free_port()
    opened, closed = doors.reconcile([(HOST, port)])
    assert (named(opened), closed) == ([(f"http@{HOST}", HOST), (f"tcp@{HOST}:{port}", HOST)], [])
    assert doors.told() == {"open": [[HOST, port]], "shut": []}
    assert doors.reconcile([(HOST, port)]) == ([], [])
    socket.create_connection((HOST, port), 1).close()
    assert doors.reconcile([]) == ([], [f"{HOST}:{port}", HOST])
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((HOST, port), 1)


def test_two_ports_of_a_name_share_its_http(doors):
    one, two = free_port(), free_port()
    opened, _ = doors.reconcile([(HOST, one), (HOST, two)])
    assert [name for name, _ in named(opened)] == sorted([f"http@{HOST}", f"tcp@{HOST}:{one}", f"tcp@{HOST}:{two}"])
    assert doors.reconcile([(HOST, two)]) == ([], [f"{HOST}:{one}"])


def test_the_same_port_is_free_at_each_address(doors):
    port = free_port()
    doors.reconcile([(HOST, port), (OTHER, port)])
    assert doors.told()["open"] == [[HOST, port], [OTHER, port]]


def test_a_port_that_is_taken_is_told_with_its_holder_and_tried_again(doors):
    with socket.create_server(("0.0.0.0", 0)) as holder:
        port = holder.getsockname()[1]
        assert doors.reconcile([(HOST, port)]) == ([], [])
        ((host, told, reason),) = doors.told()["shut"]
        assert (host, told) == (HOST, port)
        assert "(pid " in reason
        assert f"127.0.0.1:{port}" in reason
    assert len(doors.reconcile([(HOST, port)])[0]) == 2
    assert doors.told()["shut"] == []


def test_where_http_listens_everywhere_it_needs_no_door():
    doors = RawDoors({"http": [("0.0.0.0", 80)]})
    opened, _ = doors.reconcile([(HOST, free_port())])
    assert [name.partition("@")[0] for name, _ in opened] == ["tcp"]
    doors.close()


def test_there_is_a_bound(doors, monkeypatch):
    monkeypatch.setattr(raw_doors, "MOST", 1)
    doors.reconcile([(HOST, free_port()), (OTHER, free_port())])
    assert len(doors.told()["open"]) == 1
    assert "open already" in doors.told()["shut"][0][2]


@pytest.mark.parametrize(
    "rows",
    [
        [["127.0.0.1", 5432]],
        [["0.0.0.0", 5432]],
        [["127.78.0.1", 5432]],
        [["127.77.0.1", 0]],
        [["127.77.0.1", 65536]],
        [["127.77.0.1"]],
        [["127.77.0.1", float("inf")]],
        [["127.77.0.1", float("nan")]],
        [["::1", 5432]],
        [["db", 5432]],
        [[None, None]],
        {"a": 1},
        7,
        None,
    ],
)
def test_nothing_but_our_addresses_is_bound(rows):
    with pytest.raises(DoorsRefused):
        places(rows)


@pytest.mark.parametrize(
    "word",
    [
        b"",
        b"x",
        b"\xff",
        b"[" * 100_000,
        b"[" + b"1" * 5_000 + b"]",
        b'[["127.77.0.1",1e999]]',
        b'[["127.77.0.1",22.0e400]]',
    ],
)
def test_no_word_of_control_ends_the_supervisor(word):
    with pytest.raises(DoorsRefused):
        read(word)
    assert read(b'[["127.77.0.1", 5432]]') == [("127.77.0.1", 5432)]


def test_places_are_read():
    assert places([["127.77.0.1", 5432]]) == [("127.77.0.1", 5432)]


@pytest.mark.parametrize(
    ("number", "platform", "words"),
    [
        (errno.EACCES, "linux", "ports below 1024 need root"),
        (errno.EADDRNOTAVAIL, "darwin", "sudo ifconfig lo0 alias 127.77.3.9"),
        (errno.EADDRNOTAVAIL, "linux", "sudo ip address add dev lo 127.77.3.9"),
        (errno.EMFILE, "linux", "cannot be had: too many"),
    ],
)
def test_why_and_the_mend(monkeypatch, number, platform, words):
    monkeypatch.setattr(raw_doors.sys, "platform", platform)
    assert words in why(("127.77.3.9", 443), OSError(number, "too many"))
