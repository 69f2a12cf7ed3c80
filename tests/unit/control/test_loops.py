"""Targets that are devdns itself."""

import pytest
from support.control import ZONES

from devdns.control.loops import loop
from devdns.core.routes import parse_raw_target, parse_target

LISTENERS = [("127.0.0.1", 8080), ("::1", 8080), ("0.0.0.0", 8081), ("127.0.0.53", 53)]
SOCKETS = {"/state/control.sock"}.__contains__


@pytest.mark.parametrize(
    ("target", "found"),
    [
        ("8080", "127.0.0.1:8080"),
        ("localhost:8080", "127.0.0.1:8080"),
        ("[::1]:8080", "::1:8080"),
        ("127.0.0.1:8081", "0.0.0.0:8081"),
        ("127.0.0.53:53", "127.0.0.53:53"),
        ("api.dev.test:8080", "127.0.0.1:8080"),
        ("devdns.shop.test:8080", "127.0.0.1:8080"),
        ("[::ffff:127.0.0.1]:8080", "127.0.0.1:8080"),
        ("unix:/state/control.sock", "/state/control.sock"),
        ("5173", None),
        ("127.0.0.2:8080", None),
        ("192.168.1.9:8081", None),
        ("example.com:8080", None),
        ("unix:/run/app.sock", None),
    ],
)
def test_a_route_to_devdns_itself_is_found(target, found):
    said = loop(parse_target(target), LISTENERS, SOCKETS, ZONES)
    assert (said is None) == (found is None)
    assert found is None or found in said


@pytest.mark.parametrize(
    ("target", "found"),
    [
        ("127.77.3.9:5432", "127.77.3.9"),
        ("[::ffff:127.77.3.9]:5432", "::ffff:7f4d:309"),
        ("db.dev.test:5432", "db.dev.test"),
        ("127.78.0.1:5432", None),
        ("db.lan:5432", None),
        ("unix:/run/pg.sock", None),
    ],
)
def test_raw_tcp_does_not_lead_to_raw_tcp(target, found):
    said = loop(parse_raw_target(target), LISTENERS, SOCKETS, ZONES)
    assert (said is None) == (found is None)
    assert found is None or found in said
