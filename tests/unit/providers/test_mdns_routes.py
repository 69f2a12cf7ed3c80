"""What an announcement says: a table of TXT records to routes and refusals, and any bytes whatever."""

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devdns.core.names import Zones
from devdns.core.routes import Options
from devdns.core.settings import MdnsConfig
from devdns.providers.mdns_routes import Announced, plain, read, slug

OURS, OTHER = ip_address("192.168.1.5"), ip_address("192.168.1.6")
OWN = frozenset({OURS, ip_address("fd00::5"), ip_address("fe80::5")})


def reading(txt, *, addresses=(OURS,), port=8080, instance="My Shop", **switches):
    pairs = {key.encode(): value if value is None else value.encode() for key, value in txt.items()}
    service = Announced(instance, tuple(map(ip_address, addresses)), port, pairs)
    return read(service, MdnsConfig(**switches), Zones(("dev.test", "shop.test")), OWN)


ROUTES = [
    ({"dev.route": "api"}, {}, {"api.dev.test": "http://192.168.1.5:8080"}),
    ({"DEV.Route": "api"}, {}, {"api.dev.test": "http://192.168.1.5:8080"}),
    ({"dev.route": " api , web/v2,, *.x "}, {}, dict.fromkeys(["api.dev.test", "web.dev.test/v2", "*.x.dev.test"], "http://192.168.1.5:8080")),
    ({"dev.route": "api.shop.test"}, {}, {"api.shop.test": "http://192.168.1.5:8080"}),
    ({"dev.route": "api", "dev.scheme": "https"}, {}, {"api.dev.test": "https://192.168.1.5:8080"}),
    ({"dev.route": "api"}, {"addresses": ("127.0.0.1",)}, {"api.dev.test": "http://127.0.0.1:8080"}),
    ({"dev.route": "api"}, {"addresses": ("fd00::5",)}, {"api.dev.test": "http://[fd00::5]:8080"}),
    ({"dev.route": "api"}, {"addresses": ("fd00::5", OTHER, OURS)}, {"api.dev.test": "http://192.168.1.5:8080"}),
    ({"dev.route": "api"}, {"addresses": (OTHER,), "allow_remote": True}, {"api.dev.test": "http://192.168.1.6:8080"}),
    ({}, {}, {}),
    ({"path": "/x"}, {}, {}),
    ({}, {"default_names": True}, {"my-shop.dev.test": "http://192.168.1.5:8080"}),
    ({"dev.route": "api"}, {"default_names": True}, {"api.dev.test": "http://192.168.1.5:8080"}),
    ({}, {"default_names": True, "instance": "\u202e"}, {}),
]  # fmt: skip


@pytest.mark.parametrize(("txt", "how", "routes"), ROUTES)
def test_routes(txt, how, routes):
    found = reading(txt, **how)
    assert {route.name: str(route.targets[0]) for route in found.routes} == routes
    assert found.refusals == ()


def test_a_route_says_whose_it_is():
    [route] = reading({"dev.route": "api", "dev.strip": "yes", "dev.host": "localhost:3000"}).routes
    assert (route.source, route.owner, route.origin) == ("mdns", "My Shop", "mDNS service My Shop, TXT dev.route")
    assert route.options == Options(strip=True, host="localhost:3000")


REFUSALS = [
    ({"dev.route": "api"}, {"addresses": (OTHER,)}, "announced for 192.168.1.6, which is not an address of this machine"),
    ({"dev.route": "api"}, {"addresses": ()}, "announced without an address"),
    ({"dev.route": "api"}, {"port": 0}, "target 'http://192.168.1.5:0': port 0 is not between 1 and 65535"),
    ({"dev.route": ""}, {}, "TXT dev.route is empty"),
    ({"dev.route": None}, {}, "TXT dev.route is empty"),
    ({"dev.route": ",".join("abcdefghijklmnopq")}, {}, "TXT dev.route names 17 routes, over 16"),
    ({"dev.route": "devdns"}, {}, "name 'devdns' is reserved: devdns itself answers at devdns.dev.test"),
    ({"dev.route": "localhost"}, {}, "name 'localhost' is reserved: localhost cannot be claimed (RFC 6761)"),
    ({"dev.route": "*"}, {}, "name '*' cannot be claimed"),
    ({"dev.route": "a\x1b[31m"}, {}, r"name 'a\x1b[31m' may hold only letters, digits and inner hyphens"),
    ({"dev.route": "api", "dev.scheme": "ftp"}, {}, "TXT dev.scheme 'ftp' is not one of http, https, h2c, tls"),
    ({"dev.route": "api", "dev.strip": "perhaps"}, {}, "TXT dev.strip: 'perhaps' is not true or false"),
    ({"dev.route": "api", "dev.host": "a b"}, {}, "TXT dev.host: 'a b' is not a host"),
    ({"dev.route": "api"}, {"addresses": ("fe80::5",)}, "target 'http://[fe80::5]:8080': fe80::5 is not the address of a service"),
]  # fmt: skip


@pytest.mark.parametrize(("txt", "how", "reason"), REFUSALS)
def test_refusals(txt, how, reason):
    found = reading(txt, **how)
    assert [each.reason for each in found.refusals] == [reason]
    assert found.routes == ()


def test_a_refused_name_does_not_take_the_others_with_it():
    found = reading({"dev.route": "api,devdns,web"})
    assert [route.host for route in found.routes] == ["api.dev.test", "web.dev.test"]
    assert [refusal.name for refusal in found.refusals] == ["devdns"]


@given(
    st.text(max_size=80),
    st.dictionaries(st.sampled_from([b"dev.route", b"dev.host", b"dev.strip", b"dev.scheme"]), st.none() | st.binary(max_size=80)),
    st.integers(0, 65535),
    st.booleans(),
)  # fmt: skip
def test_nothing_a_stranger_sends_raises_or_reaches_a_terminal_raw(instance, txt, port, default_names):
    found = read(Announced(instance, (OURS,), port, txt), MdnsConfig(default_names=default_names), Zones(), OWN)
    for each in found.routes:
        assert (each.owner + each.origin + each.name).isprintable()
    for each in found.refusals:
        assert (each.origin + each.name + each.reason + each.hint).isprintable()


@pytest.mark.parametrize(
    ("instance", "label"),
    [("My App (2)", "my-app-2"), ("---", ""), ("Ünï", "n"), ("x" * 80, "x" * 63), ("a" * 62 + "-b", "a" * 62)],
)
def test_an_instance_as_a_label(instance, label):
    assert slug(instance) == label


@pytest.mark.parametrize(
    ("text", "shown"),
    [("My Shop", "My Shop"), ("a\x1b]0;x\x07", r"a\x1b]0;x\x07"), ("a\u202eb", r"a\u202eb"), ("é", "é")],
)
def test_what_a_person_sees(text, shown):
    assert plain(text) == shown
