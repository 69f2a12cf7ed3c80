"""Addresses of raw TCP names: the same for good, each of one name, and a file that may be torn."""

from ipaddress import IPv4Address, IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devdns.control.addresses import Addresses
from devdns.core.own_addresses import NETWORK, is_own

SMALL = IPv4Network("127.77.0.0/29")  # six addresses
HOSTS = [f"db{number}.dev.test" for number in range(6)]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "addresses.json"


def test_a_name_has_the_address_it_hashes_to_whatever_else_there_is(tmp_path):
    alone = Addresses(tmp_path / "one").of("db.dev.test")
    others = Addresses(tmp_path / "two")
    for number in range(50):
        others.of(f"other{number}.dev.test")
    assert others.of("db.dev.test") == alone
    assert IPv4Address(alone) in NETWORK


def test_names_that_hash_alike_have_the_next_free_ones_and_keep_them(path):
    first = Addresses(path, SMALL)
    given = {host: first.of(host) for host in HOSTS}
    assert sorted(given.values()) == [f"127.77.0.{number}" for number in range(1, 7)]
    first.save()
    again = Addresses(path, SMALL)
    assert {host: again.of(host) for host in reversed(HOSTS)} == given


def test_a_full_table_takes_the_oldest_that_is_not_in_use(path):
    addresses = Addresses(path, SMALL)
    given = {host: addresses.of(host) for host in HOSTS}
    assert addresses.of("new.dev.test", lambda: {HOSTS[0], HOSTS[1]}) == given[HOSTS[2]]
    assert addresses.of(HOSTS[0]) == given[HOSTS[0]]
    addresses.save()
    assert Addresses(path, SMALL).of("new.dev.test") == given[HOSTS[2]]


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b'{"addresses": {"db.dev.test": "127.77.0.',
        b'{"addresses": []}',
        b"\xff" * 100,
        b'{"addresses": {"x.dev.test": "10.0.0.1", "y.dev.test": "127.77.0.0", "z.dev.test": "127.077.0.1", "w.dev.test": "::1"}}',
    ],
)
def test_a_file_that_is_torn_or_strange_costs_no_name(path, text):
    path.write_bytes(text)
    addresses = Addresses(path, SMALL)
    assert len({addresses.of(host) for host in HOSTS}) == 6
    addresses.save()
    assert Addresses(path, SMALL).of(HOSTS[3]) == addresses.of(HOSTS[3])


def test_an_address_that_the_file_gives_twice_is_the_first_ones(path):
    path.write_text('{"addresses": {"a.dev.test": "127.77.0.1", "b.dev.test": "127.77.0.1"}}')
    addresses = Addresses(path, SMALL)
    assert addresses.of("a.dev.test") == "127.77.0.1" != addresses.of("b.dev.test")


def test_a_disk_that_fails_costs_the_memory_only(tmp_path):
    nowhere = Addresses(tmp_path / "gone" / "addresses.json")
    given = nowhere.of("db.dev.test")
    nowhere.save()
    assert nowhere.of("db.dev.test") == given


def test_nothing_but_the_file_is_left_in_the_folder_and_it_is_ours_alone(path):
    addresses = Addresses(path)
    for host in HOSTS:
        addresses.of(host)
        addresses.save()
    assert [each.name for each in path.parent.iterdir()] == ["addresses.json"]
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_writer_that_is_killed_leaves_the_last_whole_file(path):
    addresses = Addresses(path, SMALL)
    given = addresses.of(HOSTS[0])
    addresses.save()
    path.with_name("addresses.json.0123.tmp").write_bytes(b'{"addresses": {"db0')
    assert Addresses(path, SMALL).of(HOSTS[0]) == given
    assert [each.name for each in path.parent.iterdir()] == ["addresses.json"]


@given(st.ip_addresses(v=4))
def test_what_is_ours_is_in_the_network(address):
    assert is_own(str(address)) == (address in NETWORK) == is_own(f"::ffff:{address}")
    assert not is_own("db.dev.test")
