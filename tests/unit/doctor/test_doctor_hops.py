"""The hops over answers of control that take long to plant: what is behind the proxy, and certificates."""

from __future__ import annotations

from typing import Any

import pytest

from devdns.doctor.facts import Answer
from devdns.doctor.hops import Reach, Trail, failing, hops
from devdns.doctor.refusals import Reply, refusal

ROUTE: dict[str, Any] = {
    "name": "api.dev.test",
    "targets": ["http://172.17.0.2:8000"],
    "source": "docker",
    "origin": "api-1",
    "state": "live",
    "reason": "",
    "port": 0,
    "address": "",
    "options": {"health": "/healthz"},
}
CHECK = {"target": "http://172.17.0.2:8000", "reachable": True, "detail": "a connect succeeds", "ms": 1.0, "mend": ""}
LOST = {"source": "mdns", "origin": "printer", "owner": "printer"}


def trail(route: dict[str, Any] | None = None, **more: Any) -> Trail:
    answer = {
        "verdict": "live",
        "lines": ["api.dev.test -> ..."],
        "hint": "",
        "route": ROUTE | (route or {}),
        "checks": more.pop("checks", [CHECK]),
        "beaten": [LOST],
        "seen": more.pop("seen", []),
    }
    here = Answer(("127.0.0.1",), ms=1.0)
    return Trail("api.dev.test", "dev.test", answer, system=here, direct=here, listener=Reach("127.0.0.1:80"), **more)


def test_a_route_says_why_it_won() -> None:
    found = hops(trail(reply=Reply(200)))
    assert failing(found) is None
    (route,) = [each for each in found if each.hop == "route"]
    assert route.seen == "api.dev.test -> http://172.17.0.2:8000, from docker; it beat mdns (printer)"


@pytest.mark.parametrize(
    ("changed", "hop", "word"),
    [
        (trail({"state": "unreachable", "reason": "publish a port"}, checks=[]), "network path", "publish a port"),
        (trail({"state": "unhealthy", "reason": "/healthz answers 500"}), "health", "/healthz answers 500"),
        (trail(seen=[{"target": "t", "reason": "connection refused"}]), "health", "connection refused"),
        (trail(tls=Reach("the certificate", "certificate has expired", "x")), "certificate", "has expired"),
        (trail(reply=Reply(failure="no response within 3 s")), "response", "no response"),
        (
            trail(checks=[CHECK | {"reachable": False, "detail": "its certificate is not trusted here"}]),
            "service TLS",
            "trusted",
        ),
    ],
)
def test_the_hop_that_fails(changed: Trail, hop: str, word: str) -> None:
    first = failing(hops(changed))
    assert first is not None
    assert (first.hop, word in first.seen) == (hop, True)


def test_one_target_of_a_pool_is_enough() -> None:
    dead = CHECK | {"reachable": False, "detail": "connection refused: nothing listens there"}
    assert failing(hops(trail(checks=[dead, CHECK], reply=Reply(200)))) is None


def test_a_route_that_starts_is_no_failure() -> None:
    found = hops(trail({"state": "starting", "reason": "asked every second"}, checks=[]))
    assert failing(found) is None
    assert "requests wait" in next(each.seen for each in found if each.hop == "health")


def test_the_label_that_sends_another_host_is_named_for_a_container() -> None:
    refused = failing(hops(trail(reply=Reply(403, "Invalid Host header"))))
    assert refused is not None
    assert refused.mend.endswith("or the label dev.host=localhost:8000")


@pytest.mark.parametrize(
    ("reply", "server"),
    [
        (Reply(403, "<p>Blocked request. This host (&quot;a.b&quot;) is not allowed.</p>"), "Vite"),
        (Reply(400, "Invalid host header"), "Starlette or FastAPI"),
        (Reply(400, "<h2>Bad Request - Invalid Hostname</h2>"), "ASP.NET"),
        (Reply(400, "Invalid HTTP_HOST header: 'a.b'. You may need to add 'a.b' to ALLOWED_HOSTS."), "Django"),
        (Reply(403, "Unauthorized", path="/admin"), ""),
        (Reply(403, "Unauthorized", path="/_next/x"), "Next.js"),
        (Reply(200, "Invalid Host header"), ""),
        (Reply(403, "an article on Invalid Host header"), ""),
    ],
)
def test_whose_refusal_it_is(reply: Reply, server: str) -> None:
    found = refusal(reply)
    assert (found.server if found else "") == server
