"""Foreign clients get foreign names through the resolver as real upstreams say them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support import dns_clients
from support.dns_clients import Client, Outcome
from support.dns_scene import view
from support.dns_server import Running, running
from support.dns_upstream_programs import BIG, dnsmasq_in_front, dnsmasq_upstream, unbound_in_front, unbound_upstream
from support.parts import need

WORLD: dict[tuple[str, str], Outcome] = {
    ("www.example.org", "A"): ("NOERROR", ("192.0.2.80",)),
    ("www.example.org", "AAAA"): ("NOERROR", ("2001:db8::80",)),
    ("mail.example.org", "MX"): ("NOERROR", ("10 www.example.org.",)),
    ("www.example.org", "SRV"): ("NOERROR", ()),
    ("big.example.org", "A"): ("NOERROR", tuple(sorted(BIG))),
    ("never.example.org", "A"): ("NXDOMAIN", ()),
    ("api.dev.test", "A"): ("NOERROR", ("127.0.0.1",)),
    ("other.test", "A"): ("NXDOMAIN", ()),
}
QUESTIONS = [pytest.param(*asked, outcome, id=" ".join(asked)) for asked, outcome in WORLD.items()]


@pytest.fixture(scope="module", params=[unbound_upstream, dnsmasq_upstream], ids=["unbound", "dnsmasq"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    need("unbound", "dnsmasq", "dig", "kdig")
    upstream = request.param(tmp_path_factory.mktemp("upstream"))
    with upstream as port, running(view(forward=(f"127.0.0.1:{port}",))) as server:
        yield server


@pytest.mark.parametrize(("name", "rdtype", "outcome"), QUESTIONS)
@pytest.mark.parametrize("client", [dns_clients.dig, dns_clients.kdig, dns_clients.dnspython, dns_clients.cares])
def test_stub(server: Running, client: Client, name: str, rdtype: str, outcome: Outcome) -> None:
    if client is dns_clients.cares and rdtype not in ("A", "AAAA"):
        rdtype, outcome = "A", WORLD.get((name, "A"), ("NOERROR", ()))
    assert client("127.0.0.1", server.port, name, rdtype) == outcome


@pytest.fixture(scope="module", params=[unbound_in_front, dnsmasq_in_front], ids=["behind unbound", "behind dnsmasq"])
def front(request: pytest.FixtureRequest, server: Running, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with request.param(server.port, tmp_path_factory.mktemp("front")) as port:
        yield port


@pytest.mark.parametrize(("name", "rdtype", "outcome"), QUESTIONS)
def test_behind_a_foreign_resolver(front: int, name: str, rdtype: str, outcome: Outcome) -> None:
    assert dns_clients.dig("127.0.0.1", front, name, rdtype) == outcome
