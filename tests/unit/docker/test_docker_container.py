"""What the Engine says of a container -> the few facts that are kept."""

from contextlib import suppress

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.inspections import inspection, summary

from devdns.providers.docker_container import ContainerRefused, Published, is_stale, parse

HERE = [{"HostIp": "127.0.0.1", "HostPort": "32768"}]


def test_the_facts():
    found = parse(
        inspection(
            "shop-web-1",
            {
                "dev.route": "web",
                "maintainer": "me",
                "com.docker.compose.project": "shop",
                "com.docker.compose.service": "web",
            },
            exposed=("9000/tcp", "53/udp"),
            published={"8000/tcp": HERE},
            addresses={"b": "10.9.1.2", "a": "10.9.0.2"},
            health="healthy",
        )
    )
    assert (found.name, found.status, found.health, found.owner) == ("shop-web-1", "running", "healthy", "shop/web")
    assert (found.offered, found.publishes) == ((8000, 9000), (8000,))
    assert found.published == {8000: (Published("127.0.0.1", "32768"),)}
    assert found.addresses == ("10.9.0.2", "10.9.1.2")
    assert "maintainer" not in found.labels


def test_a_container_without_a_service_owns_by_its_name():
    assert parse(inspection("box")).owner == "box"


def test_published_ports_are_known_while_it_is_down():
    found = parse(inspection(published={"8000/tcp": HERE}, status="restarting"))
    assert (found.publishes, found.published, found.addresses) == ((8000,), {}, ())


def test_environment_values_are_never_kept():
    assert b"hunter2" in msgspec.json.encode(inspection())
    assert b"hunter2" not in msgspec.json.encode(parse(inspection()))


@pytest.mark.parametrize(
    ("mode", "host", "shares"), [("host", True, ""), ("container:abc", False, "abc"), ("shop_default", False, "")]
)
def test_network_modes(mode, host, shares):
    found = parse(inspection(mode=mode))
    assert (found.host_network, found.shares) == (host, shares)


def test_ages_sort_as_times_do():
    times = ["2026-11-20T06:36:42Z", "2026-11-20T06:36:42.4Z", "2026-11-20T06:36:42.42Z", "2026-11-20T06:36:42.5Z"]
    ages = [parse(inspection(started=time)).started for time in times]
    assert ages == sorted(ages)
    assert parse(inspection(started="0001-01-01T00:00:00Z")).started == ""


@pytest.mark.parametrize("nothing", [{}, {"Id": "x"}, {"Id": 1, "Name": "x"}, {"Id": "x", "Name": "y", "State": "up"}])
def test_what_is_no_container_is_refused(nothing):
    with pytest.raises(ContainerRefused):
        parse(nothing)


def test_null_and_missing_parts_are_empty():
    found = parse(
        {
            "Id": "x",
            "Name": "/y",
            "Config": {"Labels": None},
            "NetworkSettings": {"Ports": None, "Networks": {"n": None}},
        }
    )
    assert (found.labels, found.offered, found.addresses) == ({}, (), ())


def test_a_list_that_says_the_same_is_not_stale():
    for options in ({}, {"health": "starting"}, {"health": "unhealthy"}, {"health": "healthy"}, {"status": "exited"}):
        said = inspection(**options)
        assert not is_stale(parse(said), summary(said))


@pytest.mark.parametrize(
    "now",
    [
        inspection(status="exited"),
        inspection("other"),
        inspection(addresses={"bridge": "10.9.0.3"}),
        inspection(health="healthy"),
    ],
)
def test_a_list_that_says_something_else_is_stale(now):
    assert is_stale(parse(inspection()), summary(now))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


PARTS = ("State", "Config", "HostConfig", "NetworkSettings", "Name", "Id")


@given(st.sampled_from(PARTS), st.dictionaries(st.text(), JSON) | JSON)
def test_any_json_is_a_container_or_refused(part, value):
    with suppress(ContainerRefused):
        found = parse({**inspection(), part: value})
        assert found.name.isprintable()
