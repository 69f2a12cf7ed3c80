"""A machine (a namespace) whose glibc asks nobody but 127.0.0.53: on a network, on another one, on none."""

from __future__ import annotations

import contextlib
import subprocess
from pathlib import Path

import pytest
from support.parts import need, need_root
from support.stack import Stack, open_folder
from support.waiting import wait_until

INSIDE = """
ip link set lo up
ip link add wire type bridge
ip address add 192.0.2.10/24 dev wire
ip address add 192.0.2.53/24 dev wire
ip address add 192.0.2.54/24 dev wire
ip link set wire up
mount --bind resolv.conf /etc/resolv.conf
mount -t tmpfs none /run
mkdir -p /run/systemd/resolve
touch /run/systemd/resolve/resolv.conf
mount --bind dhcp.conf /run/systemd/resolve/resolv.conf
exec "$@"
"""
HOME, VPN = "192.0.2.53", "192.0.2.54"


class Machine:
    """The namespace: programs run in it, and the network it is on is what `dhcp.conf` says."""

    def __init__(self, stack: Stack, folder: Path) -> None:
        self.stack = stack
        self.folder = folder

    def entered(self, *command: str) -> list[str]:
        return ["nsenter", "--target", str(self.stack.process.pid), "--mount", "--net", *command]

    def run(self, *command: str) -> str:
        return subprocess.run(
            self.entered(*command), capture_output=True, text=True, check=False, timeout=20
        ).stdout.strip()

    def addresses(self, name: str) -> set[str]:
        """What glibc finds."""
        return {line.split()[0] for line in self.run("getent", "ahosts", name).splitlines()}

    def joins(self, *servers: str, search: str = "lan") -> None:
        """Another network: what a DHCP or VPN client writes, in place, since it is mounted."""
        lines = [*(f"nameserver {server}" for server in servers), f"search {search}"]
        (self.folder / "dhcp.conf").write_text("\n".join(lines) + "\n")

    @contextlib.contextmanager
    def server(self, address: str, *records: str):
        """dnsmasq at an address of the network, until the end of the block."""
        options = [
            "--local-ttl=60",
            "--no-resolv",
            "--no-hosts",
            "--no-daemon",
            "--user=root",
            "--pid-file=",
            "--bind-interfaces",
        ]
        names = [f"--{record}" for record in records]
        command = self.entered("dnsmasq", *options, f"--listen-address={address}", "--except-interface=lo", *names)
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as program:
            try:
                ask = ("dig", f"@{address}", "+tries=1", "+time=1", "+short", "www.example.org")
                wait_until(lambda: program.poll() is not None or "192.0.2." in self.run(*ask), what="dnsmasq")
                yield program
            finally:
                program.terminate()
                program.wait(10)


@pytest.fixture
def machine():
    need("ip", "unshare", "nsenter", "dnsmasq", "dig")
    need_root("namespaces and port 53")
    with open_folder() as folder:
        (folder / "resolv.conf").write_text("nameserver 127.0.0.53\noptions timeout:5 attempts:1 edns0 trust-ad\n")
        (folder / "dhcp.conf").write_text("")
        namespace = ("unshare", "--mount", "--net", "sh", "-ec", INSIDE, "sh")
        stack = Stack(folder, "routes: {api: 5173}\n", "--http", "127.0.0.1:8080", prefix=namespace)
        stack.environ["DEVDNS_DNS_FORWARD"] = "system"
        with stack:
            yield Machine(stack, folder)


def test_names_keep_their_answers_on_any_network(machine):
    assert machine.addresses("api.dev.test") == {"127.0.0.1"}
    assert machine.addresses("www.example.org") == set()
    machine.joins(HOME)
    with machine.server(HOME, "host-record=www.example.org,192.0.2.80,2001:db8::80", "local=/example.org/"):
        wait_until(lambda: machine.addresses("www.example.org") == {"192.0.2.80", "2001:db8::80"})
        assert machine.addresses("never.example.org") == set()
        machine.joins(VPN, HOME, search="corp.example.com")
        inner = ("host-record=wiki.corp.example.com,10.8.0.7", "host-record=www.example.org,192.0.2.80")
        with machine.server(VPN, *inner):
            wait_until(lambda: "10.8.0.7" in machine.addresses("wiki.corp.example.com"))
    machine.run("ip", "link", "set", "wire", "down")
    assert machine.addresses("api.dev.test") == {"127.0.0.1"}
    assert "192.0.2.80" in machine.addresses("www.example.org")  # kept, at last stale
    assert machine.addresses("unheard.example.org") == set()


def network(machine):
    return machine.stack.json("status")["network"]


def test_status_shows_the_way_out_at_once_as_it_goes_and_comes(machine):
    assert network(machine)["online"] is False
    machine.run("ip", "route", "add", "default", "via", HOME)
    wait_until(lambda: network(machine)["online"], what="the way out in status")
    seen = network(machine)
    assert seen["ways"] == [f"wire via {HOME}"]
    assert "wire 192.0.2.10/24" in seen["addresses"]
    assert seen["servers"] == ["127.0.0.53"]
    machine.run("ip", "link", "set", "wire", "down")
    wait_until(lambda: network(machine)["online"] is False, what="the lost way out in status")
    assert network(machine)["epoch"] > seen["epoch"]
    assert machine.addresses("api.dev.test") == {"127.0.0.1"}
