"""The certificates, field by field (RFC 5280), and OpenSSL's verdict on what a thief of the CA's key could sign."""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_network

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID
from support.certificates import certificate, misissued, new_key, openssl_says

from devdns.control.signing import profile
from devdns.control.signing.authority import Authority, Unfit, zones_of_ca
from devdns.control.signing.folder import load
from devdns.core.leaves import Leaf

NOW = 1_800_000_000.75
MOMENT = datetime.fromtimestamp(1_800_000_000, UTC)
NAMES = ("dev.test", "*.dev.test")


def read(text):
    return x509.load_pem_x509_certificate(text if isinstance(text, bytes) else text.encode())


def extension(certificate, kind):
    found = certificate.extensions.get_extension_for_class(kind)
    return found.value, found.critical


@pytest.fixture(scope="module")
def authority():
    return Authority.new(("dev.test", "shop.test"), NOW)


@pytest.fixture(scope="module")
def ca(authority):
    return read(authority.pem())


@pytest.fixture(scope="module")
def leaf(authority):
    return authority.leaf(NAMES, NOW)


def test_the_ca_lives_ten_years_and_is_back_dated_by_an_hour(authority, ca):
    assert ca.not_valid_before_utc == MOMENT - timedelta(hours=1)
    assert ca.not_valid_after_utc == MOMENT - timedelta(hours=1) + timedelta(days=3650)
    assert authority.until == ca.not_valid_after_utc.timestamp()


def test_the_ca_signs_leaves_for_servers_and_nothing_else(ca):
    assert isinstance(ca.public_key().curve, ec.SECP256R1)
    assert extension(ca, x509.BasicConstraints) == (x509.BasicConstraints(ca=True, path_length=0), True)
    usage, critical = extension(ca, x509.KeyUsage)
    assert (usage.key_cert_sign, usage.crl_sign, usage.digital_signature, critical) == (True, False, False, True)
    assert list(extension(ca, x509.ExtendedKeyUsage)[0]) == [ExtendedKeyUsageOID.SERVER_AUTH]
    assert extension(ca, x509.SubjectKeyIdentifier)[0].digest


def test_the_ca_is_limited_to_the_zones_and_loopback(authority, ca):
    limits, critical = extension(ca, x509.NameConstraints)
    assert critical
    assert limits.excluded_subtrees is None
    assert list(limits.permitted_subtrees) == [
        x509.DNSName("dev.test"),
        x509.DNSName("shop.test"),
        x509.IPAddress(ip_network("127.0.0.0/8")),
        x509.IPAddress(ip_network("::1/128")),
        x509.RFC822Name("devdns.invalid"),
        x509.UniformResourceIdentifier("devdns.invalid"),
    ]
    assert authority.zones == ("dev.test", "shop.test")


def test_no_two_cas_have_one_name_or_serial(ca):
    other = read(Authority.new(("dev.test",), NOW).pem())
    assert other.subject != ca.subject
    assert other.serial_number != ca.serial_number


def test_a_name_of_any_length_fits_the_ca():
    zone = ".".join(["x" * 60] * 4)
    assert Authority.new((zone,), NOW).zones == (zone,)


def test_a_leaf_is_for_its_names_and_ninety_days(leaf, authority):
    certificate = read(leaf.chain)
    assert extension(certificate, x509.SubjectAlternativeName) == (
        x509.SubjectAlternativeName(map(x509.DNSName, NAMES)),
        True,  # as its subject is empty
    )
    assert certificate.subject == x509.Name([])
    assert certificate.not_valid_before_utc == MOMENT - timedelta(hours=1)
    assert certificate.not_valid_after_utc - certificate.not_valid_before_utc == timedelta(days=90)
    assert leaf.until == certificate.not_valid_after_utc.timestamp()
    assert leaf.names == NAMES
    certificate.verify_directly_issued_by(read(authority.pem()))


def test_a_leaf_is_for_servers_only(leaf, ca):
    certificate = read(leaf.chain)
    assert extension(certificate, x509.BasicConstraints) == (x509.BasicConstraints(ca=False, path_length=None), True)
    assert list(extension(certificate, x509.ExtendedKeyUsage)[0]) == [ExtendedKeyUsageOID.SERVER_AUTH]
    usage, critical = extension(certificate, x509.KeyUsage)
    assert (usage.digital_signature, usage.key_cert_sign, critical) == (True, False, True)
    issuer = extension(certificate, x509.AuthorityKeyIdentifier)[0]
    assert issuer.key_identifier == extension(ca, x509.SubjectKeyIdentifier)[0].digest


def test_each_leaf_has_a_key_and_a_serial_of_its_own(leaf, authority):
    other = authority.leaf(NAMES, NOW)
    assert other.key != leaf.key
    assert read(other.chain).serial_number != read(leaf.chain).serial_number
    assert "PRIVATE KEY" in other.key


def test_no_leaf_outlives_the_ca(authority):
    assert authority.leaf(NAMES, authority.until - 86_400).until == authority.until


@pytest.mark.parametrize(
    ("zones", "now", "why"),
    [
        (("dev.test",), NOW, ""),
        (("shop.test", "a.dev.test"), NOW, ""),
        (("dev.test", "other.test", "more.test"), NOW, "it may not sign for other.test, more.test"),
        (("xdev.test",), NOW, "it may not sign for xdev.test"),
        (("dev.test",), NOW + 3_619 * 86_400, ""),
        (("dev.test",), NOW + 3_621 * 86_400, "it is at its end"),
    ],
)
def test_a_ca_says_why_it_cannot_sign(authority, zones, now, why):
    assert authority.unfit(zones, now) == why


def test_a_pair_is_read_as_it_was_written(authority):
    again = Authority.read(authority.pem(), authority.key_pem())
    assert (again.fingerprint, again.zones, again.until) == (authority.fingerprint, authority.zones, authority.until)


@pytest.mark.parametrize(
    ("pem", "key", "why"),
    [
        (lambda *_: b"", lambda one, _: one.key_pem(), "ca.pem holds no certificate"),
        (lambda one, _: one.pem()[:200], lambda one, _: one.key_pem(), "ca.pem holds no certificate"),
        (lambda one, _: one.pem(), lambda one, _: one.key_pem()[:60], "ca.key holds no key"),
        (lambda one, _: one.pem(), lambda one, _: one.pem(), "ca.key holds no key"),
        (lambda one, _: one.pem(), lambda _, two: two.key_pem(), "ca.key is not the key of ca.pem"),
        (
            lambda one, _: one.leaf(NAMES, NOW).chain.encode(),
            lambda one, _: one.key_pem(),
            "ca.key is not the key of ca.pem",
        ),
    ],
)
def test_what_is_torn_or_does_not_belong_together_is_unfit(authority, pem, key, why):
    other = Authority.new(("dev.test",), NOW)
    with pytest.raises(Unfit, match=why):
        Authority.read(pem(authority, other), key(authority, other))


def test_a_certificate_that_is_no_ca_of_ours_is_unfit(authority):
    leaf: Leaf = authority.leaf(NAMES, NOW)
    with pytest.raises(Unfit, match="no CA that devdns made"):
        Authority.read(leaf.chain.encode(), leaf.key.encode())


# What OpenSSL says; the clock of these is the machine's.


@pytest.fixture(scope="module")
def stolen(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stolen")
    folder.chmod(0o700)
    load(("dev.test",), datetime.now(UTC).timestamp(), folder)
    return folder


def test_openssl_takes_a_leaf(stolen):
    now = datetime.now(UTC).timestamp()
    leaf = load(("dev.test",), now, stolen).leaf(NAMES, now)
    for host in ("dev.test", "api.dev.test"):
        flags = ("-purpose", "sslserver", "-verify_hostname", host)
        assert openssl_says(stolen / "ca.pem", leaf.chain, *flags) == ""
    assert "hostname mismatch" in openssl_says(stolen / "ca.pem", leaf.chain, "-verify_hostname", "a.api.dev.test")


@pytest.mark.parametrize("name", ["dns:a.b.dev.test", "dns:dev.test", "ip:127.0.0.1", "ip:127.77.1.2", "ip:::1"])
def test_openssl_takes_what_the_ca_may_sign(stolen, name):
    assert openssl_says(stolen / "ca.pem", misissued(stolen, name)[0]) == ""


@pytest.mark.parametrize(
    "name",
    [
        "dns:example.com",
        "dns:test",
        "dns:*.test",
        "dns:evildev.test",
        "dns:dev.test.example.com",
        "ip:8.8.8.8",
        "ip:10.0.0.1",
        "ip:2001:db8::1",
        "ip:::2",
        "email:you@example.com",
        "email:you@dev.test",
        "uri:https://example.com/",
        "uri:https://dev.test/",
    ],
)
def test_openssl_refuses_what_a_thief_of_the_key_signs(stolen, name):
    assert "permitted subtree violation" in openssl_says(stolen / "ca.pem", misissued(stolen, name)[0])
    both = misissued(stolen, "dns:api.dev.test", name)[0]
    assert "permitted subtree violation" in openssl_says(stolen / "ca.pem", both)


def test_openssl_refuses_a_common_name_outside_the_zones(stolen):
    chain = misissued(stolen, common_name="example.com")[0]
    assert "permitted subtree violation" in openssl_says(stolen / "ca.pem", chain)


@pytest.mark.parametrize(
    ("usage", "purpose"),
    [(ExtendedKeyUsageOID.CLIENT_AUTH, "sslclient"), (ExtendedKeyUsageOID.EMAIL_PROTECTION, "smimesign")],
)
def test_openssl_takes_the_ca_for_servers_only(stolen, usage, purpose):
    chain = misissued(stolen, "dns:api.dev.test", common_name="you", usage=usage)[0]
    assert "unsuitable certificate purpose" in openssl_says(stolen / "ca.pem", chain, "-purpose", purpose).lower()


def test_only_a_ca_with_our_limits_is_one_of_ours(ca):
    """Whoever can write the state folder could else have another one trusted by the whole machine."""
    assert zones_of_ca(ca.public_bytes(Encoding.DER)) == ("dev.test", "shop.test")
    everywhere = profile.ca(new_key(), ("",), NOW)  # a zone that holds every name
    unlimited = certificate(new_key(), ["dns:evil.example"])
    for other in (everywhere, unlimited):
        assert zones_of_ca(other.public_bytes(Encoding.DER)) == ()
    assert zones_of_ca(b"nothing") == ()
