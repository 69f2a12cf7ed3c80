"""Targets: what people may write, and the addresses no route leads to."""

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devdns.core.errors import DevdnsError, TargetRefused
from devdns.core.routes import SCHEMES, Target, forbidden, parse_raw_target, parse_target

TARGETS = [
    (5173, Target("127.0.0.1", 5173)),
    ("5173", Target("127.0.0.1", 5173)),
    (" 5173 ", Target("127.0.0.1", 5173)),
    ("localhost:80", Target("localhost", 80)),
    ("LOCALHOST.:80", Target("localhost", 80)),
    ("[::1]:80", Target("::1", 80)),
    ("[0:0:0:0:0:0:0:1]:80", Target("::1", 80)),
    ("10.0.0.7:80", Target("10.0.0.7", 80)),
    ("http://x.example", Target("x.example", 80)),
    ("https://x.example/", Target("x.example", 443, "https")),
    ("https://x.example:8443", Target("x.example", 8443, "https")),
    ("h2c://127.0.0.1:50051", Target("127.0.0.1", 50051, "h2c")),
    ("http://[::1]:3000/", Target("::1", 3000)),
    ("unix:/run/app.sock", Target("", 0, path="/run/app.sock")),
    ("bücher.example:80", Target("xn--bcher-kva.example", 80)),
]


@pytest.mark.parametrize(("text", "target"), TARGETS)
def test_targets(text, target):
    assert parse_target(text) == target
    assert parse_target(str(target)) == target


def test_a_scheme_given_apart_is_the_default_not_a_rule():
    assert parse_target("80", "https").scheme == "https"
    assert parse_target("http://a:80", "https").scheme == "http"
    assert parse_target("unix:/a", "h2c").scheme == "h2c"


@pytest.mark.parametrize(
    "text",
    ["", "0", "65536", "99999999", "-1", "+1", "1.5", "1_000", "0x50", "a", "a:b", ":80", "a:80/path", "a:80?x", "http://", "ftp://a:80", "ftp://a", "tcp://a",
     "javascript:x", "http://u@a:80", "http://u:p@a:80", "http://a b:80", "[::1]", "[::g]:80", "unix:", "unix:run/app.sock", "unix:/a\0b", "unix:/a\x1b[31m", "unix:/\ud800",
     "٣", "a_b:80", "true", "http://a:80#x", "127.1:80", "2130706433:80", "0x7f.1:80", "0177.0.0.1:80", "1.2.3:80"],
)  # fmt: skip
def test_refused(text):
    with pytest.raises(DevdnsError) as caught:
        parse_target(text)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("read", "text", "told"),
    [
        (parse_target, "ftp://a", "scheme 'ftp' is not one of http, https, h2c, tls"),
        (parse_target, "ftp://a:0", "scheme 'ftp' is not one of http, https, h2c, tls"),
        (parse_target, "http://a:0", "port 0 is not between 1 and 65535"),
        (parse_raw_target, "tcp://a", "names no port"),
        (parse_raw_target, "tcp://a:0", "port 0 is not between 1 and 65535"),
    ],
)
def test_a_refusal_names_what_is_wrong(read, text, told):
    with pytest.raises(TargetRefused, match=told):
        read(text)


@pytest.mark.parametrize(
    "address",
    ["0.0.0.0", "169.254.169.254", "169.254.0.1", "224.0.0.251", "255.255.255.255", "::", "fe80::1", "ff02::fb", "::ffff:169.254.169.254", "::ffff:0.0.0.0",
     "64:ff9b::a9fe:a9fe", "64:ff9b:1::a9fe:a9fe", "2002:a9fe:a9fe::"],
)  # fmt: skip
def test_no_route_leads_to_metadata_multicast_or_everybody(address):
    assert forbidden(ip_address(address))
    with pytest.raises(TargetRefused, match="is not the address of a service"):
        parse_target(f"[{address}]:80" if ":" in address else f"{address}:80")


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.0.0.1", "192.168.0.1", "8.8.8.8", "::1", "fd00::1", "::ffff:127.0.0.1", "64:ff9b::808:808"],
)
def test_other_addresses_are_fine(address):
    assert not forbidden(ip_address(address))


@given(
    st.ip_addresses().filter(lambda address: not forbidden(address)), st.integers(1, 65535), st.sampled_from(SCHEMES)
)
def test_a_target_written_out_is_the_same_target(address, port, scheme):
    target = Target(str(address), port, scheme)
    assert parse_target(str(target)) == target


@given(st.text(max_size=40) | st.text("0123456789:/[].htpsunixc2", max_size=30))
def test_any_text_is_a_target_or_a_refusal(text):
    try:
        target = parse_target(text)
    except DevdnsError as refused:
        target, shown = None, str(refused)
    else:
        shown = str(target)
    assert shown.isprintable()
    assert target is None or parse_target(shown) == target
