"""The name in a ClientHello: of real ones, cut into any records and pieces, and of what is none."""

import ssl
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devdns_proxy.tls.client_hello import Hello, Unfinished


def server_name(data):
    return Hello().name(data)


def hello(name=None):
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    tls = client.wrap_bio(incoming, outgoing, server_hostname=name)
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    return outgoing.read()


def in_records(data, *ends):
    """The same message in records that end there."""
    message, found, start = data[5:], b"", 0
    for end in (*ends, len(message)):
        found += data[:3] + (end - start).to_bytes(2, "big") + message[start:end]
        start = end
    return found


REAL = hello("api.dev.test")


@pytest.mark.parametrize(
    ("asked", "name"),
    [("api.dev.test", "api.dev.test"), ("API.Dev.Test", "api.dev.test"), (None, None), ("127.0.0.1", None)],
)
def test_real_hellos(asked, name):
    assert server_name(hello(asked)) == name


@given(st.lists(st.integers(1, len(REAL) - 6), unique=True, max_size=4).map(sorted))
def test_a_hello_may_be_cut_into_records(ends):
    assert server_name(in_records(REAL, *ends)) == "api.dev.test"
    assert server_name(in_records(REAL, *ends) + b"\x17\x03\x03") == "api.dev.test"


def test_what_has_not_come_is_waited_for():
    for end in range(1, len(REAL)):
        with pytest.raises(Unfinished):
            server_name(REAL[:end])


@pytest.mark.parametrize(
    "bad", [b"api..ev.test", b"api dev.test", b"api\xffdev.test", b"10.10.10.100", b".pi.dev.test", b"api.dev.tes\0"]
)
def test_what_is_no_name_is_none(bad):
    assert server_name(REAL.replace(b"api.dev.test", bad)) is None


@settings(max_examples=300)
@given(st.integers(9, len(REAL) - 1), st.binary(min_size=1, max_size=4))
def test_a_spoilt_hello_has_some_name_or_none(at, spoilt):
    try:
        name = server_name((REAL[:at] + spoilt + REAL[at + len(spoilt) :])[: len(REAL)])
    except Unfinished:
        return
    assert name is None or len(name) <= 253


@given(st.binary(max_size=200))
def test_any_bytes_behind_the_first(data):
    with suppress(Unfinished):
        assert server_name(b"\x16" + data) is None


def test_a_hello_in_bytes_costs_no_more_for_what_came_before():
    """Pieces and records of one byte each: 16 KiB of them would else be ten seconds of work."""

    class Counted(bytes):
        looks = 0

        def __getitem__(self, at):
            Counted.looks += 1
            return super().__getitem__(at)

    data, reading = in_records(REAL, *range(1, len(REAL) - 5)), Hello()
    for end in range(1, len(data)):
        with pytest.raises(Unfinished):
            reading.name(Counted(data[:end]))
    assert reading.name(Counted(data)) == "api.dev.test"
    assert Counted.looks < 10 * len(data)
