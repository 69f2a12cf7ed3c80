"""Targets that are devdns itself."""

import pytest
from support.control import ZONES

from devdns.control.loops import loop
from devdns.core.routes import parse_target

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
