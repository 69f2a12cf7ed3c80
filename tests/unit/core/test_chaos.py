"""Faults on purpose: how they are written, and what becomes of a request."""

import pytest

from devdns.core.chaos import MOST, Chaos, Fault, read_chaos, verdict
from devdns.core.errors import UsageRefused

NOW = 1_000.0


def chaos(**faults: float) -> Chaos:
    return Chaos(since=NOW, until=NOW + 60, **faults)


@pytest.mark.parametrize(
    ("body", "text", "seconds"),
    [
        ({"latency": "300ms"}, "latency 300 ms", 60),
        ({"error": "5%", "for": "10s"}, "error 5 %", 10),
        ({"error": "0.5%", "reset": "1%"}, "error 0.5 %, reset 1 %", 60),
        ({"flap": "10s", "latency": "1s", "for": "1h"}, "latency 1000 ms, flap 10 s", MOST),
    ],
)
def test_a_fault_is_read_from_texts(body, text, seconds):
    read = read_chaos(body, NOW)
    assert (str(read), read.until - read.since) == (text, seconds)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "no fault is named"),
        ({"for": "10s"}, "no fault is named"),
        ({"latency": "0s"}, "no fault is named"),
        ({"latency": "long"}, "latency: 'long' is not a time"),
        ({"latency": "2m"}, "at most 60s"),
        ({"error": "5"}, "error: '5' is not a share"),
        ({"error": "101%"}, "not a share"),
        ({"error": "60%", "reset": "60%"}, "more than all requests"),
        ({"flap": "1ms"}, "at least 0.1s"),
        ({"error": "5%", "for": "2h"}, "at most 1h"),
        ({"error": "5%", "for": "0s"}, "at most 1h"),
        ({"error": 5}, "'error' is no fault with a text"),
        ({"lag": "1s"}, "'lag' is no fault"),
    ],
)
def test_what_is_no_fault_is_refused_with_its_value(body, words):
    with pytest.raises(UsageRefused, match=words):
        read_chaos(body, NOW)


@pytest.mark.parametrize(
    ("body", "hint"), [({"latency": "300"}, "write it like 300ms"), ({"flap": "0s"}, "write it like 10s")]
)
def test_what_is_no_time_is_mended_by_an_example(body, hint):
    with pytest.raises(UsageRefused) as refused:
        read_chaos(body, NOW)
    assert refused.value.hint == hint


@pytest.mark.parametrize(
    ("faults", "after", "share", "fault"),
    [
        ({"error": 0.05}, 1, 0.049, Fault.ERROR),
        ({"error": 0.05}, 1, 0.05, Fault.PASS),
        ({"reset": 0.01, "error": 0.05}, 1, 0.009, Fault.RESET),
        ({"reset": 0.01, "error": 0.05}, 1, 0.059, Fault.ERROR),
        ({"reset": 0.01, "error": 0.05}, 1, 0.061, Fault.PASS),
        ({"error": 1.0}, 59.9, 0.0, Fault.ERROR),
        ({"error": 1.0}, 60, 0.0, Fault.PASS),
        ({"latency": 5.0}, 1, 0.0, Fault.LATE),
        ({"latency": 5.0}, 60, 0.0, Fault.PASS),
        ({"latency": 5.0, "error": 0.5}, 1, 0.4, Fault.ERROR),
        ({"flap": 10.0}, 9.9, 0.0, Fault.PASS),
        ({"flap": 10.0}, 10.1, 0.0, Fault.DOWN),
        ({"flap": 10.0}, 20.1, 0.0, Fault.PASS),
        ({"flap": 10.0, "error": 1.0}, 10.1, 0.0, Fault.DOWN),
    ],
)
def test_what_becomes_of_a_request(faults, after, share, fault):
    assert verdict(chaos(**faults), NOW + after, lambda: share) is fault
