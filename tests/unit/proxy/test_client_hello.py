"""The name in a ClientHello: of real ones, cut into any records and pieces, and of what is none."""

import ssl
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devdns_proxy.tls.client_hello import Unfinished, server_name


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
