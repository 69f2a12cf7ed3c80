"""Names outside the zones, through upstreams that behave in every way but the right one."""

from __future__ import annotations

import contextlib
import random
import socket
import time

import dns.edns
import dns.flags
import dns.message
import dns.query
import dns.rcode
import pytest
from structlog.testing import capture_logs
from support.dns_scene import view
from support.dns_server import Running, running
from support.dns_upstream import Upstream, reply, says, silent, slow, truncating, upstream
from support.ports import free_port
from support.waiting import wait_until

from devdns_resolver import mmsg
from devdns_resolver.forward import MAX_EXCHANGES
from devdns_resolver.forward_asked import PER_CLIENT

ADDRESS = "@ 60 IN A 192.0.2.1"
SOA = "example.com. 60 IN SOA ns.example.com. host.example.com. 1 3600 600 86400 30"


@contextlib.contextmanager
def forwarding(*upstreams: Upstream | str, **settings):
    """A resolver that forwards to these."""
    addresses = tuple(each if isinstance(each, str) else each.address for each in upstreams)
    with running(view(forward=addresses, **settings)) as resolver:
        yield resolver


def ask(resolver: Running, name: str, rdtype: str = "A", *, tcp: bool = False, **options) -> dns.message.Message:
    query = dns.message.make_query(name, rdtype, **options)
    exchange = dns.query.tcp if tcp else dns.query.udp
    return exchange(query, "127.0.0.1", port=resolver.port, timeout=6)


def values(message: dns.message.Message) -> list[str]:
    return sorted(str(record) for rrset in message.answer for record in rrset)


def note(message: dns.message.Message) -> int | None:
    """The extended error, if any."""
    return next((int(option.code) for option in message.options if isinstance(option, dns.edns.EDEOption)), None)


def test_the_client_gets_its_own_question_back_with_the_flags_of_a_forwarder():
    with upstream(says(ADDRESS)) as up, forwarding(up) as resolver:
        query = dns.message.make_query("wWw.ExAmPle.COM", "A", use_edns=0, want_dnssec=True)
        query.flags |= dns.flags.CD
        got = dns.query.udp(query, "127.0.0.1", port=resolver.port, timeout=5)
    assert got.question[0].name.to_text() == "wWw.ExAmPle.COM."
    assert got.flags == dns.flags.QR | dns.flags.RD | dns.flags.RA | dns.flags.CD
    assert got.ednsflags & dns.flags.DO
    (asked,) = up.asked
    assert asked.ednsflags & dns.flags.DO
    assert asked.flags == dns.flags.RD | dns.flags.CD
    assert asked.id != query.id
    assert not asked.options


def test_a_client_without_edns_gets_none():
    with upstream(says(ADDRESS)) as up, forwarding(up) as resolver:
        got = ask(resolver, "example.com", use_edns=False)
    assert (got.edns, values(got)) == (-1, ["192.0.2.1"])


@pytest.mark.parametrize("name", ["api.dev.test", "dev.test", "other.test", "test", "localhost", "a.localhost"])
def test_names_of_this_machine_never_leave_it(name):
    with upstream(says(ADDRESS)) as up, forwarding(up) as resolver:
        got = ask(resolver, name)
        assert got.flags & dns.flags.AA
        assert got.flags & dns.flags.RA
        ask(resolver, "example.com")
    assert up.names() == ["example.com."]


@pytest.mark.parametrize("name", ["hidden.onion", "no.invalid"])
def test_names_of_no_server_never_leave_either(name):
    with upstream(says(ADDRESS)) as up, forwarding(up) as resolver:
        assert ask(resolver, name).rcode() == dns.rcode.NXDOMAIN
    assert up.asked == []


def test_an_answer_is_kept_and_its_ttl_goes_down():
    with upstream(says(ADDRESS)) as up, forwarding(up) as resolver:
        first = ask(resolver, "example.com")
        resolver.on_loop(older, resolver, 10)
        second = ask(resolver, "EXAMPLE.com", tcp=True)
    assert len(up.asked) == 1
    assert (first.answer[0].ttl, second.answer[0].ttl) == (60, 50)


def older(resolver: Running, seconds: float) -> None:
    """As if all that is kept had come so many seconds earlier."""
    for entry in resolver.resolver.forwarder.cache._entries.values():
        entry.since -= seconds
        entry.until -= seconds
        entry.rest_until -= seconds


@pytest.mark.parametrize("rcode", [dns.rcode.NOERROR, dns.rcode.NXDOMAIN])
def test_a_denial_is_kept_for_the_minimum_of_its_soa(rcode):
    with upstream(says(rcode=rcode, soa=SOA)) as up, forwarding(up) as resolver:
        got = ask(resolver, "no.example.com")
        assert (got.rcode(), got.authority[0].ttl) == (rcode, 30)
        resolver.on_loop(older, resolver, 29)
        assert ask(resolver, "no.example.com").authority[0].ttl == 1
        assert len(up.asked) == 1
        resolver.on_loop(older, resolver, 2)
        ask(resolver, "no.example.com")
    assert len(up.asked) == 2


def test_a_denial_without_soa_is_not_kept():
    with upstream(says(rcode=dns.rcode.NXDOMAIN)) as up, forwarding(up) as resolver:
        assert [ask(resolver, "no.example.com").rcode() for _ in range(2)] == [dns.rcode.NXDOMAIN] * 2
    assert len(up.asked) == 2


def test_many_who_ask_the_same_are_one_question():
    with upstream(silent) as up, forwarding(up) as resolver:
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with sock:
            sock.settimeout(5)
            for number in range(50):
                query = dns.message.make_query("example.com", "A", id=number)
                sock.sendto(query.to_wire(), ("127.0.0.1", resolver.port))
            wait_until(lambda: up.asked)
            up.behave = says(ADDRESS)  # the question is asked once more, since UDP loses packets
            replies = [dns.message.from_wire(sock.recv(4096)) for _ in range(50)]
    assert sorted(got.id for got in replies) == list(range(50))
    assert all(values(got) == ["192.0.2.1"] for got in replies)
    assert len(up.asked) == 2


def test_do_and_cd_are_questions_of_their_own():
    with upstream(says(ADDRESS)) as up, forwarding(up) as resolver:
        ask(resolver, "example.com")
        ask(resolver, "example.com", want_dnssec=True)
        ask(resolver, "example.com", flags=dns.flags.RD | dns.flags.CD)
    assert len(up.asked) == 3


def test_truncated_is_asked_again_over_tcp():
    with upstream(truncating(*(f"@ 60 IN A 192.0.2.{n}" for n in range(1, 101)))) as up, forwarding(up) as resolver:
        over_udp = ask(resolver, "big.example.com")
        assert over_udp.flags & dns.flags.TC
        assert not over_udp.answer
        whole = ask(resolver, "big.example.com", tcp=True)
    assert len(values(whole)) == 100
    assert len(up.asked) == 2


def spoofs(query: dns.message.Message, transport: str) -> list[bytes]:
    """Replies with a wrong ID, another question, another type, none at all, to a query, and last the true one."""
    other_id, response = reply(query, "@ 60 IN A 203.0.113.66"), reply(query, ADDRESS)
    other_id.id = query.id ^ 1
    other = dns.message.make_query("evil.example.com", "A", id=query.id)
    other_type = dns.message.make_query(query.question[0].name, "AAAA", id=query.id)
    empty = dns.message.make_response(query)
    empty.question = []
    lies = [
        other_id,
        reply(other, "@ 60 IN A 203.0.113.66"),
        reply(other_type, "@ 60 IN AAAA 2001:db8::66"),
        empty,
        query,
    ]
    return [b"", b"\0" * 11, *(each.to_wire() for each in lies), response.to_wire()]


def test_spoofed_replies_are_waited_past():
    with upstream(spoofs) as up, forwarding(up) as resolver:
        assert values(ask(resolver, "example.com")) == ["192.0.2.1"]
    assert len(up.asked) == 1


def test_replies_from_elsewhere_are_not_heard():
    with upstream(silent) as up, forwarding(up) as resolver, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:

        def behave(query, transport):
            other.sendto(reply(query, "@ 60 IN A 203.0.113.66").to_wire(), ("127.0.0.1", up.sources[-1]))
            return [reply(query, ADDRESS).to_wire()]

        up.behave = behave
        assert values(ask(resolver, "example.com")) == ["192.0.2.1"]


def test_ports_and_ids_cannot_be_foreseen():
    with upstream(says("@ 0 IN A 192.0.2.1")) as up, forwarding(up) as resolver:
        for number in range(40):
            ask(resolver, f"n{number}.example.com")
    for seen in ([query.id for query in up.asked], up.sources):
        assert len(set(seen)) > 35
        assert max(seen) - min(seen) > 10_000


def test_a_refused_upstream_costs_nothing():
    with upstream(says(ADDRESS)) as up, forwarding(f"127.0.0.1:{free_port()}", up) as resolver:
        start = time.monotonic()
        assert values(ask(resolver, "example.com")) == ["192.0.2.1"]
        assert time.monotonic() - start < 0.5


def test_a_silent_upstream_costs_less_than_a_second_and_later_nothing():
    with upstream(silent) as dead, upstream(says(ADDRESS)) as up, forwarding(dead, up) as resolver:
        start = time.monotonic()
        assert values(ask(resolver, "example.com")) == ["192.0.2.1"]
        assert time.monotonic() - start < 1
        ask(resolver, "example.org")
        (first, _) = resolver.on_loop(lambda: resolver.resolver.forwarder.sources.upstreams._all)
        wait_until(lambda: first.dead)
        resolver.on_loop(setattr, first, "retry_at", float("inf"))  # no probe, which would be beside the question
        ask(resolver, "example.net")
        assert "example.net." not in dead.names()


def test_an_upstream_that_comes_back_is_found_without_cost():
    with upstream(says(ADDRESS)) as flapping, upstream(says(ADDRESS)) as up, forwarding(flapping, up) as resolver:
        ask(resolver, "n0.example.com")
        (first, _) = resolver.on_loop(lambda: resolver.resolver.forwarder.sources.upstreams._all)
        flapping.behave = silent
        ask(resolver, "n1.example.com")
        ask(resolver, "n2.example.com")
        wait_until(lambda: first.dead)
        flapping.behave = says(ADDRESS)
        resolver.on_loop(setattr, first, "retry_at", 0.0)
        ask(resolver, "n3.example.com")
        assert up.names()[-1] == "n3.example.com."
        wait_until(lambda: not first.dead)
        assert flapping.names()[-1] == "n3.example.com."


def test_while_upstreams_take_turns_in_being_dead_everyone_is_answered_within_a_second():
    with upstream(says(ADDRESS)) as one, upstream(says(ADDRESS)) as two, forwarding(one, two) as resolver:
        took = []
        for number in range(120):
            if number % 20 == 0:
                one.behave, two.behave = (
                    (silent, says(ADDRESS)) if one.behave is not silent else (says(ADDRESS), silent)
                )
            start = time.monotonic()
            assert values(ask(resolver, f"n{number}.example.com")) == ["192.0.2.1"]
            took.append(time.monotonic() - start)
    assert max(took) < 1
    assert sorted(took)[len(took) // 2] < 0.1


def test_a_lost_packet_is_sent_again():
    with upstream(says(ADDRESS)) as up, forwarding(up) as resolver:
        ask(resolver, "example.com")
        heard = set()

        def behave(query, _):
            name = query.question[0].name
            lost, _ = name not in heard, heard.add(name)
            return [] if lost else [reply(query, ADDRESS).to_wire()]

        up.behave = behave
        start = time.monotonic()
        assert values(ask(resolver, "example.org")) == ["192.0.2.1"]
        assert time.monotonic() - start < 2


def test_the_fastest_is_asked_but_for_the_users_own_domains_the_first():
    with (
        upstream(slow(0.12, ADDRESS)) as one,
        upstream(says("@ 60 IN A 192.0.2.2")) as two,
        forwarding(one, two) as resolver,
    ):
        ask(resolver, "warm.example.com")
        upstreams = resolver.resolver.forwarder.sources.upstreams
        wait_until(lambda: all(each.latency is not None for each in upstreams.order()))
        assert values(ask(resolver, "www.example.com")) == ["192.0.2.2"]
        resolver.on_loop(setattr, resolver.resolver.forwarder.sources, "search", ((b"corp", b"example"),))
        assert values(ask(resolver, "wiki.corp.example")) == ["192.0.2.1"]


@pytest.mark.parametrize("rcode", [dns.rcode.SERVFAIL, dns.rcode.REFUSED])
def test_an_upstream_that_will_not_is_passed_over_at_once(rcode):
    with upstream(says(rcode=rcode)) as bad, upstream(says(ADDRESS)) as up, forwarding(bad, up) as resolver:
        start = time.monotonic()
        assert values(ask(resolver, "example.com")) == ["192.0.2.1"]
        assert time.monotonic() - start < 0.5


def test_an_upstream_without_edns_is_asked_without():
    def old(query, transport):
        return [reply(query, *(() if query.edns >= 0 else (ADDRESS,)), rcode=query.edns >= 0).to_wire()]

    with upstream(old) as up, forwarding(up) as resolver:
        assert values(ask(resolver, "example.com")) == ["192.0.2.1"]
        assert values(ask(resolver, "example.org")) == ["192.0.2.1"]
    assert [query.edns for query in up.asked] == [0, -1, -1]


def test_with_all_upstreams_silent_servfail_comes_within_five_seconds():
    with upstream(silent) as one, upstream(silent) as two, forwarding(one, two) as resolver:
        start = time.monotonic()
        got = ask(resolver, "example.com", use_edns=0)
        assert time.monotonic() - start < 5
        assert (got.rcode(), note(got)) == (dns.rcode.SERVFAIL, 22)
        assert len(one.asked) >= 2  # UDP loses packets
        assert ask(resolver, "api.dev.test").rcode() == dns.rcode.NOERROR


def test_without_any_upstream_servfail_comes_at_once():
    with forwarding() as resolver:
        resolver.on_loop(setattr, resolver.view, "hello", view(forward=("127.0.0.1:1",)).hello)
        start = time.monotonic()
        assert ask(resolver, "example.com").rcode() == dns.rcode.SERVFAIL
        assert time.monotonic() - start < 1


def test_we_never_ask_ourselves():
    with forwarding("127.0.0.1:1") as resolver:
        resolver.on_loop(setattr, resolver.view, "hello", view(forward=(f"127.0.0.1:{resolver.port}",)).hello)
        assert ask(resolver, "example.com").rcode() == dns.rcode.SERVFAIL
        assert resolver.resolver.forwarder.sources.upstreams.addresses == ()


def test_stale_answers_serve_while_nobody_answers():
    with upstream(says(ADDRESS)) as up, forwarding(up) as resolver:
        ask(resolver, "example.com")
        resolver.on_loop(older, resolver, 100)
        up.behave = silent
        start = time.monotonic()
        got = ask(resolver, "example.com", use_edns=0)
        assert time.monotonic() - start < 3
        assert (values(got), got.answer[0].ttl, note(got)) == (["192.0.2.1"], 30, 3)
        wait_until(lambda: resolver.resolver.forwarder.sources.upstreams.silent)
        start = time.monotonic()
        assert ask(resolver, "example.com").answer[0].ttl == 30
        assert time.monotonic() - start < 1


def test_what_is_stale_is_fresh_again_when_the_upstream_is():
    with upstream(says(ADDRESS)) as up, forwarding(up) as resolver:
        ask(resolver, "example.com")
        resolver.on_loop(older, resolver, 100)
        up.behave = says("@ 60 IN A 192.0.2.2")
        assert values(ask(resolver, "example.com")) == ["192.0.2.2"]


def test_what_is_stale_for_too_long_is_not_served():
    with upstream(says(ADDRESS)) as up, forwarding(up) as resolver:
        ask(resolver, "example.com")
        resolver.on_loop(older, resolver, 86_461)
        up.behave = says(rcode=dns.rcode.SERVFAIL)
        assert ask(resolver, "example.com").rcode() == dns.rcode.SERVFAIL


@pytest.mark.parametrize(
    "line",
    [
        "@ 60 IN A 127.0.0.1",
        "@ 60 IN A 10.1.2.3",
        "@ 60 IN A 100.64.0.1",
        "@ 60 IN A 169.254.169.254",
        "@ 60 IN A 0.0.0.0",
        "@ 60 IN AAAA ::1",
        "@ 60 IN AAAA fd00::1",
        "@ 60 IN AAAA fe80::1",
        "@ 60 IN AAAA ::ffff:192.168.1.1",
        "@ 60 IN HTTPS 1 . ipv4hint=192.168.1.1",
    ],
)
def test_a_public_name_has_no_private_address(line):
    chain = says("@ 60 IN CNAME x.evil.example.", line.replace("@", "x.evil.example."))
    with upstream(chain) as up, forwarding(up) as resolver:
        got = ask(resolver, "evil.example", line.split()[3], use_edns=0)
    assert (got.rcode(), got.answer, note(got)) == (dns.rcode.NOERROR, [], 15)


def test_a_dropped_name_is_logged_without_what_acts_on_a_terminal():
    with upstream(says("@ 60 IN A 10.0.0.1")) as up, forwarding(up) as resolver, capture_logs() as logs:
        ask(resolver, "\\027[2J\\200.example.com")
    assert [line["name"] for line in logs if "name" in line] == ["\\x1b[2j\\xc8.example.com"]


def test_names_that_are_not_public_may_have_private_addresses():
    with upstream(says("@ 60 IN A 192.168.1.1")) as up, forwarding(up) as resolver:
        assert values(ask(resolver, "nas.lan")) == ["192.168.1.1"]
        assert values(ask(resolver, "router")) == ["192.168.1.1"]


def test_strangers_are_refused_before_anything_is_forwarded():
    with upstream(says(ADDRESS)) as up, forwarding(up, allow=()) as resolver:
        responder = resolver.resolver._responder
        desk = responder.desk("udp", "127.0.0.1")
        wire = dns.message.make_query("example.com", "A").to_wire()
        stranger = resolver.on_loop(responder.vantage, desk, "203.0.113.9")
        assert resolver.on_loop(responder.respond, stranger, wire)[3] & 15 == dns.rcode.REFUSED
    assert up.asked == []


def test_over_tcp_quick_answers_do_not_wait_for_slow_ones():
    with (
        upstream(silent) as up,
        forwarding(up) as resolver,
        socket.create_connection(("127.0.0.1", resolver.port), timeout=5) as sock,
    ):
        for number, name in enumerate(("slow.example.com", "api.dev.test")):
            wire = dns.message.make_query(name, "A", id=number).to_wire()
            sock.sendall(len(wire).to_bytes(2, "big") + wire)
        assert received(sock).id == 1
        up.behave = says(ADDRESS)
        sock.shutdown(socket.SHUT_WR)
        assert received(sock).id == 0
        assert sock.recv(1) == b""


def test_over_tcp_any_number_of_questions_may_be_under_way():
    with (
        upstream(says(ADDRESS)) as up,
        forwarding(up) as resolver,
        socket.create_connection(("127.0.0.1", resolver.port), timeout=5) as sock,
    ):
        for number in range(200):
            wire = dns.message.make_query(f"n{number}.example.com", "A", id=number).to_wire()
            sock.sendall(len(wire).to_bytes(2, "big") + wire)
        replies = [received(sock) for _ in range(200)]
    assert sorted(got.id for got in replies) == list(range(200))
    assert all(got.question[0].name.to_text() == f"n{got.id}.example.com." for got in replies)


def test_an_upstream_at_an_ipv6_address_over_udp_and_tcp():
    with upstream(truncating("@ 60 IN TXT whole"), "::1") as up, forwarding(up) as resolver:
        assert values(ask(resolver, "example.com", "TXT")) == ['"whole"']
    assert len(up.asked) == 2


def received(sock: socket.socket) -> dns.message.Message:
    size = int.from_bytes(sock.recv(2, socket.MSG_WAITALL), "big")
    return dns.message.from_wire(sock.recv(size, socket.MSG_WAITALL))


@pytest.mark.parametrize("batches", [True, False])
@pytest.mark.parametrize(
    ("listener", "asked"), [("127.0.0.1",) * 2, ("::1",) * 2, ("0.0.0.0", "127.0.0.2"), ("::", "::1")]
)
def test_late_replies_find_their_way_from_every_kind_of_socket(listener, asked, batches, monkeypatch):
    monkeypatch.setattr(mmsg, "available", mmsg.available and batches)
    with upstream(says(ADDRESS)) as up, running(view(forward=(up.address,)), listener) as resolver:
        for _ in range(2):  # from the upstream, from the cache
            query = dns.message.make_query("example.com", "A")
            got = dns.query.udp(query, asked, port=resolver.port, timeout=5)  # checks where it comes from
            assert values(got) == ["192.0.2.1"]
    assert len(up.asked) == 1


def test_one_client_cannot_take_all_places():
    with (
        upstream(silent) as up,
        running(view(forward=(up.address,)), connections=16) as resolver,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock,
    ):
        forwarder = resolver.resolver.forwarder
        for number in range(600):
            wire = dns.message.make_query(f"n{number}.example.com", "A").to_wire()
            sock.sendto(wire, ("127.0.0.1", resolver.port))
            wait_until(lambda: forwarder.tally.flights + forwarder.tally.busy > number)  # noqa: B023 - waited for here
        assert forwarder.tally.busy >= 600 - PER_CLIENT
        assert forwarder.places.taken <= PER_CLIENT
        assert len(forwarder.race) <= MAX_EXCHANGES
        assert ask(resolver, "api.dev.test").rcode() == dns.rcode.NOERROR


def test_other_upstreams_make_all_that_is_kept_stale():
    with upstream(says(ADDRESS)) as one, upstream(says("@ 60 IN A 192.0.2.2")) as two, forwarding(one) as resolver:
        assert values(ask(resolver, "example.com")) == ["192.0.2.1"]
        resolver.on_loop(setattr, resolver.view, "hello", view(forward=(two.address,)).hello)
        assert values(ask(resolver, "example.com")) == ["192.0.2.2"]


def test_an_upstream_that_sends_anything_breaks_nothing():
    chance = random.Random(8767)

    def babble(query, transport):
        true = reply(query, "@ 0 IN CNAME b.example.com.", ADDRESS, soa=SOA).to_wire()
        false = bytearray(true)
        for _ in range(chance.randrange(6)):
            false[chance.randrange(2, len(false))] = chance.randrange(256)
        return [bytes(false[: chance.randrange(len(false))]), bytes(false), true]

    with upstream(babble) as up, forwarding(up) as resolver, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        forwarder = resolver.resolver.forwarder
        for number in range(400):
            query = dns.message.make_query(f"n{number}.example.com", "A", use_edns=number % 2 - 1)
            sock.sendto(query.to_wire(), ("127.0.0.1", resolver.port))
            wait_until(lambda: forwarder.tally.flights + forwarder.tally.busy > number)  # noqa: B023 - waited for here
        up.behave = says(ADDRESS)
        wait_until(lambda: forwarder.places.taken == 0)
        assert values(ask(resolver, "example.com")) == ["192.0.2.1"]
        assert resolver.resolver.counters.failures == 0
        assert forwarder.tally.answered > 20


def test_stopping_leaves_nothing_behind():
    with upstream(silent) as up, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        with forwarding(up) as resolver:
            sock.sendto(dns.message.make_query("example.com", "A").to_wire(), ("127.0.0.1", resolver.port))
            wait_until(lambda: up.asked)
            forwarder = resolver.resolver.forwarder
        assert (forwarder.race.attempts, forwarder._tasks) == (set(), set())
