"""Labels of a container -> wishes and refusals."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devdns.core.names import Claim, Zones
from devdns.core.routes import Options
from devdns.providers.docker_labels import LABELS, MAX_NAMES, read

ZONES = Zones(("dev.test", "shop.test"))


def wishes(labels):
    return read(labels, "box", ZONES).wishes


def refusals(labels):
    return read(labels, "box", ZONES).refusals


@pytest.mark.parametrize(
    ("value", "claims"),
    [
        ("api", [("api.dev.test", "")]),
        ("api.shop", [("api.shop.dev.test", "")]),
        ("api/v2", [("api.dev.test", "/v2")]),
        ("api, www,api", [("api.dev.test", ""), ("www.dev.test", "")]),
        ("*.api", [("*.api.dev.test", "")]),
        ("cart.shop.test", [("cart.shop.test", "")]),
        (" API ", [("api.dev.test", "")]),
        ("bücher", [("xn--bcher-kva.dev.test", "")]),
    ],
)
def test_the_forms_of_a_name(value, claims):
    assert [wish.claim for wish in wishes({"dev.route": value})] == [Claim(*claim) for claim in claims]


def test_every_option_is_read():
    (wish,) = wishes(
        {
            "dev.route": "api/v2",
            "dev.port": "8000",
            "dev.health": "/healthz?full=1",
            "dev.strip": "Yes",
            "dev.host": "localhost:9000",
            "dev.scheme": "h2c",
            "dev.hold": "1500ms",
            "dev.verify": "no",
            "dev.enable": "true",
        }
    )
    assert (wish.label, wish.port, wish.scheme) == ("dev.route", 8000, "h2c")
    assert wish.options == Options(strip=True, host="localhost:9000", health="/healthz?full=1", hold=1.5, verify=False)


def test_a_family_has_what_it_says_and_else_what_the_plain_labels_say():
    plain, admin = wishes(
        {
            "dev.route": "app",
            "dev.port": "8000",
            "dev.hold": "5s",
            "dev.route.admin": "admin",
            "dev.port.admin": "9000",
            "dev.strip.admin": "true",
        }
    )
    assert (plain.label, plain.port, plain.options) == ("dev.route", 8000, Options(hold=5.0))
    assert (admin.label, admin.port, admin.options) == ("dev.route.admin", 9000, Options(hold=5.0, strip=True))


@pytest.mark.parametrize(
    ("label", "value", "reason", "hint"),
    [
        ("dev.port", "http", "label dev.port: 'http' is not a port from 1 to 65535", "write it like 8000"),
        ("dev.port", "0", "label dev.port: '0' is not a port from 1 to 65535", "write it like 8000"),
        ("dev.port", "65536", "label dev.port: '65536' is not a port from 1 to 65535", "write it like 8000"),
        ("dev.port", "٣", "label dev.port: '٣' is not a port from 1 to 65535", "write it like 8000"),
        ("dev.strip", "maybe", "label dev.strip: 'maybe' is not true or false", "write it like true"),
        (
            "dev.health",
            "healthz",
            "label dev.health: 'healthz' is not a path to probe",
            "write it like /healthz, or tcp",
        ),
        ("dev.host", "a b", "label dev.host: 'a b' is not a host", "write it like localhost:8000"),
        (
            "dev.scheme",
            "gopher",
            "label dev.scheme: 'gopher' is not one of http, https, h2c, tls",
            "write it like http",
        ),
        ("dev.hold", "soon", "label dev.hold: 'soon' is not a time of at most a day", "write it like 15s, 500ms or 1m"),
    ],
)
def test_a_wrong_value_is_refused_with_its_label_and_the_mend(label, value, reason, hint):
    reading = read({"dev.route": "api", label: value}, "box", ZONES)
    assert reading.wishes == ()
    (refusal,) = reading.refusals
    assert (refusal.origin, refusal.name) == (f"container box, label {label}", "api")
    assert (refusal.reason, refusal.hint, refusal.quiet) == (reason, hint, False)


@pytest.mark.parametrize("key", ["dev.ca", "dev.ca.admin"])
def test_no_label_chooses_a_file_of_this_host(key):
    reading = read({"dev.route": "api", key: "/etc/shadow"}, "box", ZONES)
    assert [str(wish.claim) for wish in reading.wishes] == ["api.dev.test"]
    assert reading.wishes[0].options == Options()
    (refusal,) = reading.refusals
    assert refusal.reason == f"label {key} would name a file of this host"
    assert "devdns.yml" in refusal.hint
    assert "/etc/shadow" not in str(refusal)


@pytest.mark.parametrize(
    "name", ["", "-api", "under_score", "devdns", "dev.test", "localhost", "*", "a..b", "api/../x", "$(x)"]
)
def test_a_wrong_name_is_refused_and_the_others_are_not(name):
    reading = read({"dev.route": f"api,{name}"}, "box", ZONES)
    assert [str(wish.claim) for wish in reading.wishes] == ["api.dev.test"]
    (refusal,) = reading.refusals
    assert refusal.name == name
    assert refusal.reason.startswith("label dev.route: ")


def test_a_wrong_option_of_a_family_hurts_only_that_family():
    reading = read({"dev.route": "app", "dev.route.admin": "admin", "dev.port.admin": "x"}, "box", ZONES)
    assert [wish.label for wish in reading.wishes] == ["dev.route"]
    assert [refusal.name for refusal in reading.refusals] == ["admin"]


def test_one_name_twice_on_one_container_is_refused_and_never_a_pool():
    reading = read({"dev.route": "api", "dev.route.b": "api", "dev.port.b": "9000"}, "box", ZONES)
    assert [wish.label for wish in reading.wishes] == ["dev.route"]
    (refusal,) = reading.refusals
    assert refusal.reason == "label dev.route.b: api.dev.test is what dev.route of the same container claims"


def test_options_of_a_family_without_a_name_are_refused():
    (refusal,) = refusals({"dev.route": "api", "dev.port.admin": "9000"})
    assert refusal.reason == "label dev.port.admin has no dev.route.admin beside it"
    assert refusal.hint == "add dev.route.admin=NAME, or call it dev.port"


@pytest.mark.parametrize("value", ["false", "off", "NO"])
def test_disabled_is_no_route_and_no_refusal(value):
    reading = read({"dev.enable": value, "dev.route": "-", "dev.port": "x"}, "box", ZONES)
    assert (reading.enabled, reading.wishes, reading.refusals) == (False, (), ())


def test_an_unreadable_enable_is_refused_and_counts_as_false():
    reading = read({"dev.enable": "flase", "dev.route": "api"}, "box", ZONES)
    assert (reading.enabled, reading.wishes) == (False, ())
    assert [refusal.reason for refusal in reading.refusals] == ["label dev.enable: 'flase' is not true or false"]


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("dev.rout", "dev.route"),
        ("dev.routes", "dev.route"),
        ("Dev.Route", "dev.route"),
        ("dev-route", "dev.route"),
        ("dev_port", "dev.port"),
        ("devdns.route", "dev.route"),
        ("dev.prot.admin", "dev.port"),
        ("dev.enabled", "dev.enable"),
        ("dev.route.bad family", "dev.route"),
        ("dev.enable.admin", "dev.enable"),
        ("dev.schema", "dev.scheme"),
    ],
)
def test_a_label_that_is_nearly_ours_is_asked_about(key, meant):
    (refusal,) = refusals({key: "api"})
    assert refusal.reason == f"label {key!r} is not one of devdns"
    assert refusal.hint == f"did you mean {meant}?"
    assert refusal.name == ("api" if meant == "dev.route" else "box")


@pytest.mark.parametrize(
    "key", ["dev.orbstack.domains", "dev.containers.id", "maintainer", "traefik.enable", "dev.", "dev", ""]
)
def test_other_peoples_labels_are_their_own_business(key):
    reading = read({key: "api"}, "box", ZONES)
    assert (reading.wishes, reading.refusals, reading.plain) == ((), (), {})


def test_names_are_bounded():
    names = ",".join(f"n{number}" for number in range(MAX_NAMES + 1))
    reading = read({"dev.route": names}, "box", ZONES)
    assert reading.wishes == ()
    assert [refusal.reason for refusal in reading.refusals] == ["label dev.route holds 101 names, over 100"]


def test_every_label_has_an_example_that_is_right():
    for label in LABELS.values():
        assert label.doc
        reading = read({"dev.route": "api", label.key: label.example}, "box", ZONES)
        assert reading.refusals == ()


KEYS = st.one_of(
    st.sampled_from([label.key for label in LABELS.values()]),
    st.builds("{}.{}".format, st.sampled_from([label.key for label in LABELS.values()]), st.text(max_size=8)),
    st.text(max_size=20).map("dev.".__add__),
    st.text(max_size=20),
)


@given(st.dictionaries(KEYS, st.text(max_size=300) | st.just("a" * 5000), max_size=8))
def test_any_labels_are_read_without_an_exception_into_clean_lines(labels):
    reading = read(labels, "box", ZONES)
    for wish in reading.wishes:
        assert ZONES.of(wish.claim.host.removeprefix("*."))
    for refusal in reading.refusals:
        for line in (refusal.origin, refusal.name, refusal.reason, refusal.hint):
            assert line.isprintable(), line
        assert len(refusal.name) <= 253
        assert len(refusal.reason) <= 400


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ({"dev.tcp": "5432"}, [("db.dev.test:5432", 5432, "tcp")]),
        ({"dev.tcp": "5432, 6379"}, [("db.dev.test:5432", 5432, "tcp"), ("db.dev.test:6379", 6379, "tcp")]),
        ({"dev.tcp": "5432", "dev.port": "80"}, [("db.dev.test:5432", 5432, "tcp"), ("db.dev.test", 80, "http")]),
    ],
)
def test_raw_tcp(labels, expected):
    reading = read({"dev.route": "db", "dev.hold": "5s", "dev.strip": "true", **labels}, "box", ZONES)
    assert [(str(wish.claim), wish.port, wish.scheme) for wish in reading.wishes] == expected
    assert reading.wishes[0].options == Options(hold=5.0)
    assert reading.refusals == ()


@pytest.mark.parametrize(
    ("labels", "reason"),
    [
        ({"dev.route": "db", "dev.tcp": "pg"}, "label dev.tcp: 'pg' is not a port from 1 to 65535"),
        ({"dev.route": "db", "dev.tcp": "5432:15432"}, "label dev.tcp: '5432:15432' is not a port from 1 to 65535"),
        (
            {"dev.route": "*.db", "dev.tcp": "1"},
            "label dev.route: name '*.db' is a wildcard, and raw TCP knows neither",
        ),
        ({"dev.route": "db/x", "dev.tcp": "1"}, "label dev.route: name 'db/x' is a path, and raw TCP knows neither"),
    ],
)
def test_raw_tcp_that_is_refused(labels, reason):
    reading = read(labels, "box", ZONES)
    assert (reading.wishes, [each.reason for each in reading.refusals]) == ((), [reason])
