"""Foreign stubs and forwarders agree on what the resolver says."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import dns.flags
import dns.message
import dns.query
import pytest
from support import dns_clients
from support.dns_clients import Client, Outcome, dig
from support.dns_scene import hello, route, table, view
from support.dns_server import Running, running
from support.parts import need, need_root
from support.waiting import wait_until

WORLD: dict[tuple[str, str], Outcome] = {
    ("api.dev.test", "A"): ("NOERROR", ("127.0.0.1",)),
    ("api.dev.test", "AAAA"): ("NOERROR", ("::1",)),
    ("api.dev.test", "HTTPS"): ("NOERROR", ()),
    ("api.dev.test", "MX"): ("NOERROR", ()),
    ("never.said.at.any.depth.dev.test", "A"): ("NOERROR", ("127.0.0.1",)),
    ("_http._tcp.api.dev.test", "SRV"): ("NOERROR", ("0 0 8080 api.dev.test.",)),
    ("dev.test", "A"): ("NOERROR", ("127.0.0.1",)),
    ("dev.test", "CNAME"): ("NOERROR", ()),
    ("other.test", "A"): ("NXDOMAIN", ()),
    ("other.test", "AAAA"): ("NXDOMAIN", ()),
}
QUESTIONS = [pytest.param(*asked, outcome, id=" ".join(asked)) for asked, outcome in WORLD.items()]
NOT_REGISTERED_YET = ("new.dev.test", "TXT")


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    with running(view(), "127.0.0.1", "::1") as server:
        yield server


@pytest.mark.parametrize(("name", "rdtype", "outcome"), QUESTIONS)
@pytest.mark.parametrize("client", [dns_clients.dig, dns_clients.kdig, dns_clients.dnspython, dns_clients.cares])
def test_stub(server: Running, client: Client, name: str, rdtype: str, outcome: Outcome) -> None:
    need("dig", "kdig")
    assert client("127.0.0.1", server.port, name, rdtype) == outcome
    if client is not dns_clients.dig:
        assert client("::1", server.port, name, rdtype) == outcome


@pytest.fixture(
    scope="module",
    params=[dns_clients.unbound, dns_clients.dnsmasq, dns_clients.bind, dns_clients.resolved],
    ids=["unbound", "dnsmasq", "BIND", "systemd-resolved"],
)
def forwarder(
    request: pytest.FixtureRequest, server: Running, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[int]:
    need("unbound", "dnsmasq", "dig", "unshare")
    with request.param(server.port, tmp_path_factory.mktemp("forwarder")) as port:
        yield port


@pytest.mark.parametrize(("name", "rdtype", "outcome"), QUESTIONS)
def test_through_a_forwarder(forwarder: int, name: str, rdtype: str, outcome: Outcome) -> None:
    assert dig("127.0.0.1", forwarder, name, rdtype) == outcome
    assert dig("127.0.0.1", forwarder, name.upper(), rdtype)[0] == outcome[0]


def test_denied_then_registered_is_seen_through_a_forwarder_at_once(
    server: Running, forwarder: int, request: pytest.FixtureRequest
) -> None:
    server.swap(table())
    assert dig("127.0.0.1", forwarder, *NOT_REGISTERED_YET) == ("NOERROR", ())
    server.swap(table(route("new.dev.test", "9000"), generation=8))
    soon(lambda: len(dig("127.0.0.1", forwarder, *NOT_REGISTERED_YET)[1]) == 1, request)
    server.swap(table())


def test_aaaa_denied_then_listening_is_seen_through_a_forwarder_at_once(
    server: Running, forwarder: int, request: pytest.FixtureRequest
) -> None:
    name = f"late{forwarder}.dev.test"
    server.on_loop(setattr, server.view, "hello", hello(http=(("127.0.0.1", 8080),)))
    assert dig("127.0.0.1", forwarder, name, "AAAA") == ("NOERROR", ())
    assert dig("127.0.0.1", forwarder, name, "A") == ("NOERROR", ("127.0.0.1",))
    server.on_loop(setattr, server.view, "hello", hello())
    soon(lambda: dig("127.0.0.1", forwarder, name, "AAAA") == ("NOERROR", ("::1",)), request)


def soon(true: Callable[[], bool], request: pytest.FixtureRequest) -> None:
    """At once; BIND's clock has whole seconds, in which what has a TTL of 0 still stands."""
    if "BIND" in request.node.callspec.id:
        wait_until(true, bound=2.5, what="an answer of the next second")
    assert true()


@pytest.mark.netns
@pytest.mark.parametrize(
    ("database", "name", "expected"),
    [
        ("ahostsv4", "api.dev.test", {"127.0.0.1"}),
        ("ahosts", "api.dev.test", {"127.0.0.1", "::1"}),
        ("ahostsv6", "never.dev.test", {"::1"}),
        ("hosts", "API.Dev.Test", {"::1"}),
        ("ahosts", "other.test", set()),
    ],
)
def test_glibc(tmp_path: Path, database: str, name: str, expected: set[str]) -> None:
    """`getent` with a resolv.conf of its own: glibc asks A and AAAA at once over one socket."""
    need_root("port 53 and a mount namespace")
    need("unshare")
    address = f"127.{os.getpid() >> 8 & 0x7F | 0x40}.{os.getpid() & 0xFF}.53"
    conf = tmp_path / "resolv.conf"
    conf.write_text(f"nameserver {address}\noptions timeout:2 attempts:1\n")
    script = f"mount --bind {conf} /etc/resolv.conf && exec getent {database} {name}"
    with running(view(), address, port=53):
        done = subprocess.run(
            ["unshare", "-m", "sh", "-c", script], capture_output=True, text=True, timeout=20, check=False
        )
    assert {line.split()[0] for line in done.stdout.splitlines()} == expected
    assert done.returncode == (0 if expected else 2), done.stderr


def test_dig_gets_truncation_and_follows_it_over_tcp(server: Running) -> None:
    need("dig")
    server.swap(table(route("big.dev.test", *(str(1000 + number) for number in range(100)))))
    whole = dns_clients.run("dig", "@127.0.0.1", "-p", str(server.port), "big.dev.test", "TXT", "+tries=1")
    cut = dns_clients.run("dig", "@127.0.0.1", "-p", str(server.port), "big.dev.test", "TXT", "+ignore", "+tries=1")
    server.swap(table())
    assert "(TCP)" in whole
    assert whole.count("port=") == 100
    assert re.search(r"flags: qr aa tc rd;.*ANSWER: 0", cut)


def test_kdig_pipelines_over_one_connection(server: Running) -> None:
    need("kdig")
    text = dns_clients.run(
        "kdig",
        "@127.0.0.1",
        "-p",
        str(server.port),
        "+tcp",
        "+keepopen",
        *(f"n{number}.dev.test" for number in range(20)),
    )
    assert text.count("status: NOERROR") == 20


def test_tcp_from_dnspython(server: Running) -> None:
    reply = dns.query.tcp(dns.message.make_query("api.dev.test", "TXT", use_edns=0), "::1", 5, server.port)
    assert (len(reply.answer[0]), reply.edns, bool(reply.flags & dns.flags.AA)) == (2, 0, True)


@pytest.mark.netns
def test_another_host_is_refused_before_anything_is_looked_up() -> None:
    """A network namespace beside ours, on a veth: REFUSED for a stranger, an answer once `dns.allow` names its network."""
    need_root("a network namespace")
    need("ip", "dig")
    space, ours, theirs = (f"ddr{os.getpid() % 100_000}{end}" for end in "nab")
    address, stranger, network = "198.18.53.1", "198.18.53.2", "198.18.53.0/30"
    run = dns_clients.run
    try:
        for line in (
            f"ip netns add {space}",
            f"ip link add {ours} type veth peer name {theirs} netns {space}",
            f"ip addr add {address}/30 dev {ours}",
            f"ip link set {ours} up",
            f"ip -n {space} addr add {stranger}/30 dev {theirs}",
            f"ip -n {space} link set {theirs} up",
        ):
            run(*line.split())
        with running(view(), "0.0.0.0") as server:
            asked = (
                "ip",
                "netns",
                "exec",
                space,
                "dig",
                f"@{address}",
                "-p",
                str(server.port),
                "+tries=1",
                "api.dev.test",
            )
            strange, over_tcp = run(*asked), run(*asked, "+tcp")
            server.on_loop(setattr, server.view, "hello", hello(allow=(network,)))
            allowed = run(*asked)
    finally:
        run("ip", "netns", "del", space)
        run("ip", "link", "del", ours)
    assert ("status: REFUSED" in strange, "status: REFUSED" in over_tcp) == (True, True)
    assert "status: NOERROR" in allowed
