"""What is counted, as `/metrics` will show it."""

from __future__ import annotations

import pytest
from support.figures import value

from devdns.control.metrics import render
from devdns_resolver.counters import BOUNDS, Counters


def test_replies_and_latency_in_prometheus_terms() -> None:
    counters = Counters()
    counters.cell("udp", 1, 0, hit=True)[0] += 5
    counters.cell("tcp", 65280, 3, hit=False)[0] += 1
    counters.dropped = 2
    counters.took(20e-6, 4)
    counters.took(BOUNDS[1])
    counters.took(5.0)
    text = render(counters.families())
    assert value(text, "devdns_dns_replies_total", transport="udp", type="A", rcode="NOERROR", kept="true") == 5
    assert value(text, "devdns_dns_replies_total", transport="tcp", type="other", rcode="NXDOMAIN", kept="false") == 1
    assert value(text, "devdns_dns_dropped_total") == 2
    assert value(text, "devdns_dns_reply_seconds_bucket", le="2.5e-05") == 4
    assert value(text, "devdns_dns_reply_seconds_bucket", le="5e-05") == 5
    assert value(text, "devdns_dns_reply_seconds_bucket", le="1.0") == 5
    assert value(text, "devdns_dns_reply_seconds_bucket", le="+Inf") == 6
    assert value(text, "devdns_dns_reply_seconds_count") == 6
    assert value(text, "devdns_dns_reply_seconds_sum") == pytest.approx(5.00013)
