"""The forwarder when the machine gets onto another network: a dead one, a portal, the true one."""

from __future__ import annotations

import contextlib

import dns.message
import dns.query
import dns.rcode
import pytest
from support.dns_scene import view
from support.dns_server import Running, running
from support.dns_upstream import Behaviour, reply, says, silent, upstream
from support.waiting import wait_until

from devdns.core.network import Network
from devdns_resolver.forward_upstreams import MAX_BACKOFF

TRUE, PORTAL = "198.51.100.7", "203.0.113.1"


def moves(resolver: Running, epoch: int) -> None:
    """As the link does when control tells of another network; the responder notices with the next query."""
    resolver.on_loop(setattr, resolver.view, "network", Network(epoch))


def ask(resolver: Running, name: str) -> dns.message.Message:
    return dns.query.udp(dns.message.make_query(name, "A"), "127.0.0.1", port=resolver.port, timeout=6)


def values(message: dns.message.Message) -> list[str]:
    return sorted(str(record) for rrset in message.answer for record in rrset)


def truthful(address: str) -> Behaviour:
    """What exists has this address, and `invalid.` does not exist."""

    def behave(query, _):
        if str(query.question[0].name).endswith(".invalid."):
            return [reply(query, rcode=dns.rcode.NXDOMAIN).to_wire()]
        return [reply(query, f"@ 60 IN A {address}").to_wire()]

    return behave


portal = says(f"@ 60 IN A {PORTAL}")


@contextlib.contextmanager
def forwarding(up):
    with running(view(forward=(up.address,))) as resolver:
        yield resolver


def lying(resolver: Running) -> bool:
    return resolver.resolver.forwarder.canary.lying


@pytest.fixture
def up():
    with upstream(truthful(TRUE)) as made:
        yield made


def test_a_network_that_comes_back_is_asked_at_once_however_long_it_was_dead(up):
    with forwarding(up) as resolver:
        assert values(ask(resolver, "www.example.com")) == [TRUE]
        (known,) = resolver.resolver.forwarder.sources.upstreams.order()
        resolver.on_loop(setattr, known, "backoff", MAX_BACKOFF)
        resolver.on_loop(setattr, known, "retry_at", float("inf"))
        assert resolver.resolver.forwarder.sources.upstreams.silent
        moves(resolver, 2)
        assert values(ask(resolver, "api.dev.test")) == ["127.0.0.1"]
        assert not resolver.resolver.forwarder.sources.upstreams.silent


def test_what_was_kept_is_asked_anew_on_another_network_and_given_stale_where_nobody_answers(up):
    with forwarding(up) as resolver:
        assert values(ask(resolver, "www.example.com")) == [TRUE]
        asked = up.names().count("www.example.com.")
        up.behave = truthful("198.51.100.8")
        moves(resolver, 2)
        assert values(ask(resolver, "www.example.com")) == ["198.51.100.8"]
        assert up.names().count("www.example.com.") == asked + 1
        up.behave = silent
        moves(resolver, 3)
        assert values(ask(resolver, "api.dev.test")) == ["127.0.0.1"]
        assert values(ask(resolver, "www.example.com")) == ["198.51.100.8"]


def test_nothing_that_a_portal_says_is_kept_and_the_truth_is_found_again(up):
    up.behave = portal
    with forwarding(up) as resolver:
        moves(resolver, 1)
        ask(resolver, "api.dev.test")
        ask(resolver, "first.example.com")
        wait_until(lambda: lying(resolver))
        through = ask(resolver, "www.example.com")
        assert values(through) == [PORTAL]
        assert {rrset.ttl for rrset in through.answer} == {0}
        up.behave = truthful(TRUE)
        assert values(ask(resolver, "www.example.com")) == [TRUE]
        moves(resolver, 2)
        wait_until(lambda: ask(resolver, "www.example.com") and not lying(resolver))
        assert values(ask(resolver, "first.example.com")) == [TRUE]


def test_nobody_is_asked_for_a_name_of_our_own_before_the_network_is_known(up):
    with forwarding(up) as resolver:
        ask(resolver, "www.example.com")
    assert up.names() == ["www.example.com."]


def test_one_question_more_for_each_network(up):
    with forwarding(up) as resolver:
        moves(resolver, 1)
        for number in range(5):
            ask(resolver, f"{number}.example.com")
        wait_until(lambda: any(name.endswith(".invalid.") for name in up.names()))
        assert sum(name.endswith(".invalid.") for name in up.names()) == 1
