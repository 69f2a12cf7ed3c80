"""Who may ask at the web door. Each row is one request; the reason it is refused for, or None."""

import pytest
from support.control import TOKEN, ZONES

from devdns.control.gate import Asked, Gate

GATE = Gate(ZONES, frozenset({80, 8080}), TOKEN)
HOST = "devdns.dev.test:8080"
BEARER = f"Bearer {TOKEN}"
JSON = "application/json"


def asked(method="GET", host=HOST, **facts):
    hosts = host if isinstance(host, tuple) else (host,)
    return Asked(method, hosts, **facts)


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (asked(), None),
        (asked("HEAD", "dev.test"), None),
        (asked(host="DEVDNS.Dev.Test.:8080"), None),
        (asked(host="devdns.shop.test"), None),
        (asked(host=()), "Host"),
        (asked(host=""), "Host"),
        (asked(host=(HOST, HOST)), "Host"),
        (asked(host="evil.dev.test:8080"), "Host"),
        (asked(host="devdns.dev.test.evil.com:8080"), "Host"),
        (asked(host="devdns.dev.test:81"), "Host"),
        (asked(host="devdns.dev.test:8080@evil.com"), "Host"),
        (asked(host="127.0.0.1:8080"), "Host"),
        (asked(host="localhost:8080"), "Host"),
        (asked(host="[::1]:8080"), "Host"),
        (asked(origin=f"http://{HOST}"), None),
        (asked(origin="http://evil.dev.test:8080"), "Origin"),
        (asked(origin="http://devdns.dev.test"), "Origin"),
        (asked(origin="http://devdns.dev.test:3000"), "Origin"),
        (asked(origin=f"https://{HOST}"), "Origin"),
        (asked(origin="null"), "Origin"),
        (asked(origin=""), "Origin"),
        (asked(site="same-origin"), None),
        (asked(site="none"), None),
        (asked(site="cross-site", mode="navigate"), None),
        (asked(site="cross-site", mode="no-cors"), "cross-site"),
        (asked(site="same-site", mode="cors"), "same-site"),
        (asked("PUT", authorization=BEARER, content_type=JSON), None),
        (asked("PUT", authorization=BEARER, content_type=f"{JSON}; charset=utf-8", origin=f"http://{HOST}"), None),
        (asked("DELETE", authorization=f"bearer {TOKEN}"), None),
        (asked("PUT", content_type=JSON), "Bearer"),
        (asked("PUT", authorization=f"Basic {TOKEN}", content_type=JSON), "Bearer"),
        (asked("PUT", authorization="Bearer wrong", content_type=JSON), "Bearer"),
        (asked("PUT", authorization="Bearer é", content_type=JSON), "Bearer"),
        (asked("DELETE"), "Bearer"),
        (asked("POST", content_type="application/x-www-form-urlencoded"), "Bearer"),
        (asked("POST", authorization=BEARER, content_type="application/x-www-form-urlencoded"), "application/json"),
        (asked("PUT", authorization=BEARER, content_type="text/plain"), "application/json"),
        (asked("PUT", authorization=BEARER), "application/json"),
        (asked("PUT", authorization=BEARER, content_type=JSON, origin="http://evil.dev.test"), "Origin"),
        (asked("PUT", authorization=BEARER, content_type=JSON, site="same-site", mode="navigate"), "same-site"),
        (asked("BREW"), "Bearer"),
    ],
)
def test_a_request_passes_or_is_refused_with_the_reason(request_, reason):
    refused = GATE.refusal(request_)
    assert (refused is None) == (reason is None)
    assert reason is None or reason in refused


def test_without_a_known_port_any_is_taken():
    assert Gate(ZONES, (), TOKEN).refusal(asked(host="devdns.dev.test:1234")) is None


def test_an_https_page_is_its_own_origin():
    gate = Gate(ZONES, frozenset({443}), TOKEN)
    assert gate.refusal(asked(host="devdns.dev.test", scheme="https", origin="https://devdns.dev.test")) is None


def test_a_refusal_never_tells_the_token():
    assert TOKEN not in (GATE.refusal(asked("PUT", authorization="Bearer x", content_type=JSON)) or TOKEN)
