"""Which interfaces count as bridges of containers, from folders like those of sysfs; and what is opened for them."""

import os
import socket

import pytest
from support.ports import free_port

from devdns import bridges
from devdns.bridges import Bridge
from devdns.doors import Doors

PLACE = "127.9.8.7/24"


@pytest.fixture
def links(tmp_path, monkeypatch):
    """A stand-in for /sys/class/net: `links(name, *ports)` makes a bridge."""
    monkeypatch.setattr(bridges, "LINKS", tmp_path)
    monkeypatch.setattr(bridges, "ROUTES", tmp_path / "route")
    monkeypatch.setattr(bridges, "_place", lambda _: bridges.IPv4Interface("172.17.0.1/16"))

    def make(name, *ports):
        (tmp_path / name / "bridge").mkdir(parents=True)
        (tmp_path / name / "brif").mkdir()
        for port in ports:
            (tmp_path / name / "brif" / port).touch()
            (tmp_path / port).mkdir(exist_ok=True)

    return make


def test_a_bridge_with_virtual_ends_counts(links):
    links("docker0", "veth1")
    links("br-4f", "veth2", "veth3")
    assert bridges.bridges() == {Bridge("docker0", "172.17.0.1/16"), Bridge("br-4f", "172.17.0.1/16")}


@pytest.mark.parametrize("mark", ["device", "lower_eth0"])
def test_a_bridge_with_a_device_or_what_stands_on_one_does_not(links, tmp_path, mark):
    links("br0", "veth1", "port")
    (tmp_path / "port" / mark).mkdir()
    assert bridges.bridges() == frozenset()


def test_a_bridge_that_is_the_way_out_does_not(links, tmp_path):
    links("br0")
    (tmp_path / "route").write_text("Iface\tDestination\tGateway\nbr0\t00000000\t0101A8C0\n")
    assert bridges.bridges() == frozenset()


@pytest.mark.parametrize("name", ["büro", "a\x1cb", "\udcff\udcfe", "a\x85"])
def test_a_name_may_hold_any_bytes(links, tmp_path, name):
    links("br0")
    row = os.fsencode(name) + b"\t00000000\t0101A8C0\n"
    (tmp_path / "route").write_bytes(b"Iface\tDestination\tGateway\n" + row + b"\n" + row[:4])
    links(name)
    assert {each.name for each in bridges.bridges()} == {"br0"}


def test_a_public_address_does_not(links, monkeypatch):
    links("br0")
    monkeypatch.setattr(bridges, "_place", lambda _: bridges.IPv4Interface("203.0.114.1/24"))
    assert bridges.bridges() == frozenset()


def test_doors_open_on_our_ports_and_close_with_the_bridge():
    port = free_port("127.9.8.7")
    doors = Doors({"dns": [("127.0.0.1", port)], "http": []})
    opened, closed = doors.reconcile([Bridge("lo", PLACE)])
    assert [name for name, _ in opened] == [f"dns-udp@{PLACE}", f"dns-tcp@{PLACE}"]
    assert doors.addresses("dns") == [("127.9.8.7", port)]
    assert (doors.reconcile([Bridge("lo", PLACE)]), closed) == (([], []), [])
    assert doors.reconcile([]) == ([], [PLACE])
    assert all(sock.fileno() == -1 for _, sock in opened)


def test_where_we_listen_everywhere_no_door_is_needed():
    doors = Doors({"dns": [("0.0.0.0", 53)], "http": []})
    assert doors.reconcile([Bridge("lo", PLACE)]) == ([], [])
    assert doors.notes == []


def test_what_cannot_be_opened_is_told_once():
    with socket.socket() as holder:
        holder.bind(("127.9.8.7", 0))
        holder.listen()
        doors = Doors({"dns": [], "http": [("127.0.0.1", holder.getsockname()[1])]})
        for _ in range(2):
            assert doors.reconcile([Bridge("lo", PLACE)])[0] == []
            doors.reconcile([])
        (note,) = doors.notes
        assert "on lo cannot be had: Address already in use" in note
