"""Names: one canonical form, one place where a name is refused, and every refusal in words."""

import string

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from devdns.core.errors import NameRefused
from devdns.core.names import MAX_HOST, Claim, Zones, canonical, parse_authority, parse_claim

ZONES = Zones(("dev.test", "shop.test", "deep.dev.test"))

labels = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True).filter(
    lambda label: not label.startswith("xn--")
)
hosts = st.lists(labels, min_size=1, max_size=5).map(".".join)
prefixes = st.lists(st.from_regex(r"[A-Za-z0-9_~-]{1,8}", fullmatch=True), max_size=3).map(
    lambda parts: "".join("/" + part for part in parts)
)
anything = st.text(max_size=80) | st.text(string.ascii_letters + ".-*/[]:%_ \x00\u3002\u00df", max_size=40)  # fmt: skip


def outcome(parse, *arguments):
    """What it returns, or how it refuses; anything else it raises fails the test."""
    try:
        return parse(*arguments)
    except NameRefused as refused:
        return refused


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("api", "api"),
        ("API.Dev.Test.", "api.dev.test"),
        ("bücher", "xn--bcher-kva"),
        ("BÜCHER", "xn--bcher-kva"),
        ("xn--bcher-kva", "xn--bcher-kva"),
        ("a。b", "a.b"),
        ("straße", "strasse"),
        ("x" * 63, "x" * 63),
        (".".join(["a" * 63] * 3 + ["b" * 61]), ".".join(["a" * 63] * 3 + ["b" * 61])),
        ("1", "1"),
        ("a--b", "a--b"),
    ],
)
def test_canonical(text, host):
    assert canonical(text) == host


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is empty"),
        (".", "is empty"),
        ("a..b", "name 'a..b' has an empty part"),
        (".a", "has an empty part"),
        ("a..", "has an empty part"),
        ("-a", "name '-a' may hold only"),
        ("a-", "name 'a-' may hold only"),
        ("a_b", "name 'a_b' may hold only"),
        ("a b", "name 'a b' may hold only"),
        ("a\n", r"name 'a\n' may hold only"),
        ("a.my_x.b", "name 'a.my_x.b': its part 'my_x' may hold only"),
        ("$(touch x)", "may hold only"),
        ("x" * 64, "is 64 characters long, over 63"),
        (".".join(["a" * 63] * 4), "is 255 characters long, over 253"),
        ("xn--a", "is not valid punycode"),
        ("xn--", "may hold only"),
        ("ü" * 64, "not a valid internationalised name"),
        ("\ud800", "not a valid internationalised name"),
    ],
)
def test_refused(text, says):
    with pytest.raises(NameRefused) as caught:
        canonical(text)
    assert says in caught.value.message


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("my_name", "write my-name"),
        ("A.My_X", "write a.my-x"),
        ("_dmarc", ""),
        ("a b", ""),
        ("*", "claim a name such as api, or *.api"),
        ("http://api2.dev.test/", "write api2"),
        ("HTTPS://api2.shop.test:8443/x", "write api2.shop.test"),
        ("api.dev.test:28080", "write api"),
        ("api:", "write api"),
        ("http://", ""),
        ("http://a_b/", ""),
        ("http://[::1]/", ""),
    ],
)
def test_a_refused_name_comes_with_its_mend(text, hint):
    with pytest.raises(NameRefused) as caught:
        parse_claim(text, ZONES)
    assert caught.value.hint == hint


@given(anything)
def test_a_canonical_name_is_its_own_canonical_form(text):
    host = outcome(canonical, text)
    if isinstance(host, NameRefused):
        assert str(host).isprintable()
        return
    assert canonical(host) == host == canonical(host.upper() + ".")
    assert 0 < len(host) <= MAX_HOST
    assert set(host) <= set(string.ascii_lowercase + string.digits + "-.")


CLAIMS = [
    ("api", "api.dev.test", ""),
    ("api.shop", "api.shop.dev.test", ""),
    (" api ", "api.dev.test", ""),
    ("api/v2", "api.dev.test", "/v2"),
    ("api/v2/", "api.dev.test", "/v2"),
    ("api/", "api.dev.test", ""),
    ("api/V2/%2Fx/a:b@c", "api.dev.test", "/V2/%2Fx/a:b@c"),
    ("*.api", "*.api.dev.test", ""),
    ("*.devdns", "*.devdns.dev.test", ""),
    ("*.api/v2", "*.api.dev.test", "/v2"),
    ("api.shop.test", "api.shop.test", ""),
    ("api.deep.dev.test", "api.deep.dev.test", ""),
    ("api.example.com", "api.example.com.dev.test", ""),
    ("test", "test.dev.test", ""),
]


@pytest.mark.parametrize(("text", "host", "prefix"), CLAIMS)
def test_claims(text, host, prefix):
    claim = parse_claim(text, ZONES)
    assert (claim.host, claim.prefix) == (host, prefix)
    assert str(claim) == host + prefix


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "name '' is empty"),
        ("/v2", "name '' is empty"),
        ("*.", "name '' is empty"),
        ("*", "cannot be claimed"),
        ("*.*.api", "its part '*'"),
        ("a.*.b", "its part '*'"),
        ("dev.test", "devdns itself answers at dev.test"),
        ("Shop.Test.", "devdns itself answers at shop.test"),
        ("deep", "devdns itself answers at deep.dev.test"),
        ("*.dev.test", "devdns itself answers at dev.test"),
        ("devdns", "devdns itself answers at devdns.dev.test"),
        ("devdns/x", "devdns itself answers at devdns.dev.test"),
        ("devdns.shop.test", "devdns itself answers at devdns.shop.test"),
        ("localhost", "localhost cannot be claimed"),
        ("*.localhost", "localhost cannot be claimed"),
        ("api.localhost", "localhost cannot be claimed"),
        ("api//v2", "is not a plain path"),
        ("api/a b", "is not a plain path"),
        ("api/%zz", "is not a plain path"),
        ("api/v2?x", "is not a plain path"),
        ("api/v2#x", "is not a plain path"),
        ("api/\x1b", "is not a plain path"),
        ("api/../x", "holds a dot segment"),
        ("api/.", "holds a dot segment"),
        (".".join(["a" * 60, "b" * 60, "c" * 60, "d" * 62]), "is 254 characters long, over 253"),
    ],
)
def test_refused_claims(text, says):
    with pytest.raises(NameRefused) as caught:
        parse_claim(text, ZONES)
    assert says in caught.value.message


@given(hosts, prefixes, st.booleans())
def test_a_claim_written_out_is_the_same_claim(host, prefix, wildcard):
    assume(not ZONES.is_own(f"{host}.dev.test") and host != "localhost" and not host.endswith(".localhost"))
    assume(ZONES.of(host) is None)
    claim = parse_claim(("*." if wildcard else "") + host + prefix, ZONES)
    assert parse_claim(str(claim), ZONES) == claim
    assert claim == Claim(("*." if wildcard else "") + host + ".dev.test", prefix)


@given(anything)
def test_any_text_is_a_claim_or_a_refusal_that_a_terminal_can_show(text):
    claim = outcome(parse_claim, text, ZONES)
    if isinstance(claim, NameRefused):
        assert str(claim).isprintable()
    else:
        assert ZONES.of(claim.host.removeprefix("*."))
        assert not ZONES.is_own(claim.host)


@pytest.mark.parametrize(
    ("host", "zone"),
    [
        ("dev.test", "dev.test"),
        ("a.dev.test", "dev.test"),
        ("a.b.dev.test", "dev.test"),
        ("deep.dev.test", "deep.dev.test"),
        ("a.deep.dev.test", "deep.dev.test"),
        ("xdev.test", None),
        ("test", None),
        ("dev.test.example", None),
    ],
)
def test_the_longest_zone_holds_a_name(host, zone):
    assert ZONES.of(host) == zone


@pytest.mark.parametrize(
    ("host", "own"),
    [("dev.test", True), ("devdns.dev.test", True), ("devdns.shop.test", True), ("a.devdns.dev.test", False), ("devdns", False), ("api.dev.test", False)],
)  # fmt: skip
def test_own_names(host, own):
    assert ZONES.is_own(host) is own


AUTHORITIES = [
    ("api.dev.test", ("api.dev.test", None)),
    ("API.Dev.Test:80", ("api.dev.test", 80)),
    ("api.dev.test.", ("api.dev.test", None)),
    ("api.dev.test.:8080", ("api.dev.test", 8080)),
    ("a_b.dev.test", ("a_b.dev.test", None)),
    ("a:", ("a", None)),
    ("a:0", ("a", 0)),
    ("127.0.0.1:65535", ("127.0.0.1", 65535)),
    ("[::1]:80", ("[::1]", 80)),
    ("[::1]", ("[::1]", None)),
    ("[FE80::A]", ("[fe80::a]", None)),
    ("", None),
    (":80", None),
    (".", None),
    ("a..b", None),
    ("a:65536", None),
    ("a:-1", None),
    ("a:+1", None),
    ("a:1:2", None),
    ("a:٣", None),
    ("a b", None),
    ("a\t", None),
    ("a/b", None),
    ("a@b", None),
    ("a,b", None),
    ("bücher", None),
    ("[::1", None),
    ("[::1]x", None),
    ("[::1]80", None),
    ("[]", None),
    ("[::1]]", None),
    ("x" * 64, None),
    (".".join(["a" * 63] * 4), None),
    ("%61.dev.test", None),
]  # fmt: skip


@pytest.mark.parametrize(("value", "found"), AUTHORITIES)
def test_authorities(value, found):
    assert parse_authority(value) == found


@given(hosts, st.none() | st.integers(0, 65535), st.booleans())
def test_a_host_field_with_a_canonical_name_is_understood(host, port, dot):
    assert parse_authority(host + "." * dot + ("" if port is None else f":{port}")) == (host, port)


@given(anything)
def test_any_host_field_is_plain_or_none(value):
    found = parse_authority(value)
    assert found is None or (found[0].isascii() and found[0] == found[0].lower() and " " not in found[0])
