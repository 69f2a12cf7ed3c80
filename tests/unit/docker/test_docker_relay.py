"""Which published ports docker-proxy holds, told by a `/proc` of processes as the kernel shows them."""

import asyncio
import os

import pytest

from devdns.providers import docker_relay
from devdns.providers.docker_relay import Relays

PROXY = "/usr/sbin/docker-proxy"


def words(program=PROXY, *, proto="tcp", host="127.0.0.1", port="8000"):
    told = ("-proto", proto, "-host-ip", host, "-host-port", port, "-container-ip", "10.9.0.2", "-container-port", "80")
    return "".join(f"{word}\0" for word in (program, *told))


@pytest.fixture
def proc(tmp_path):
    """The `/proc` of one who is in a network namespace, and nobody else in any."""
    (tmp_path / "net").mkdir()
    (tmp_path / "net/tcp").touch()
    return tmp_path


def runs(proc, pid, cmdline, *, here=True):
    """A process, in our network namespace or in another one, which has files of its own."""
    folder = proc / str(pid)
    (folder / "net").mkdir(parents=True)
    (folder / "cmdline").write_text(cmdline)
    if here:
        os.link(proc / "net/tcp", folder / "net/tcp")
    else:
        (folder / "net/tcp").touch()


HELD = [
    (words(), "127.0.0.1", True),
    (words("docker-proxy"), "127.0.0.1", True),
    (words(host="0.0.0.0"), "127.0.0.1", True),
    (words(host="::"), "::1", True),
    (words(host="::"), "127.0.0.1", False),
    (words(host="127.0.0.2"), "127.0.0.1", False),
    (words(port="8001"), "127.0.0.1", False),
    (words(port="some"), "127.0.0.1", False),
    (words(proto="udp"), "127.0.0.1", False),
    (words("/usr/bin/rootlesskit"), "127.0.0.1", False),
    ("docker-proxy\0", "127.0.0.1", False),
    ("", "127.0.0.1", False),
    (words(host="192.168.1.2"), "192.168.1.2", False),
    (words(host="0.0.0.0"), "box.lan", False),
]


@pytest.mark.parametrize(("cmdline", "host", "held"), HELD)
async def test_a_port_is_held_by_the_docker_proxy_that_was_told_so(proc, cmdline, host, held):
    runs(proc, 812, words(port="9"))
    runs(proc, 813, cmdline)
    assert await Relays(proc).hold(host, 8000) is held


async def test_a_docker_proxy_of_another_network_namespace_holds_nothing_here(proc):
    runs(proc, 812, words(), here=False)
    assert not await Relays(proc).hold("127.0.0.1", 8000)


async def test_without_a_proc_nothing_is_known_to_be_held(tmp_path):
    assert not await Relays(tmp_path / "none").hold("127.0.0.1", 8000)


async def test_many_who_ask_cost_one_look_and_who_asks_later_sees_what_is_new(proc, monkeypatch):
    looks = []

    def counted(where):
        looks.append(where)
        return found(where)

    found = docker_relay.relays
    monkeypatch.setattr(docker_relay, "relays", counted)
    relays = Relays(proc)
    assert await asyncio.gather(*(relays.hold("127.0.0.1", 8000) for _ in range(50))) == [False] * 50
    runs(proc, 812, words())
    assert await relays.hold("127.0.0.1", 8000)
    assert len(looks) == 2
