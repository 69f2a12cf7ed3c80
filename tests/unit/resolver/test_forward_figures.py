"""What `/metrics` shows of the forwarder."""

from __future__ import annotations

from support.figures import value

from devdns.control.metrics import render
from devdns_resolver.forward import Forwarder


def test_nothing_is_shown_where_nothing_is_forwarded() -> None:
    assert Forwarder(lambda *_: None).families() == ()


def test_replies_and_upstreams() -> None:
    forwarder = Forwarder(lambda *_: None, paths=())
    forwarder.sources.configure(("192.0.2.1:53", "[2001:db8::1]:5353"))
    forwarder.sources.refresh(0.0)
    one, two = forwarder.sources.upstreams.order()
    one.answered(0.25)
    two.missed(0.0, surely=True)
    forwarder.tally.stale = 3
    text = render(forwarder.families())
    assert value(text, "devdns_dns_forwarded_total", way="stale") == 3
    assert value(text, "devdns_dns_upstream_up", upstream="192.0.2.1#53") == 1
    assert value(text, "devdns_dns_upstream_up", upstream="2001:db8::1#5353") == 0
    assert value(text, "devdns_dns_upstream_seconds", upstream="192.0.2.1#53") == 0.25
