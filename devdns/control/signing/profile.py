"""What our certificates say, field by field (RFC 5280). Keys, names and the time come in; nothing is read or written.

The CA is limited by critical name constraints, so that whoever steals its key can pass for no name but those of the zones.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from secrets import token_hex

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

CA_LIFE = timedelta(days=3_650)
LEAF_LIFE = timedelta(days=90)
BACKDATED = timedelta(hours=1)  # for a client whose clock is behind
#: No name there will ever exist (RFC 6761 section 6.4): what is permitted there only is not permitted at all.
NOWHERE = "devdns.invalid"
LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
ORGANISATION = "devdns"
MAX_SHOWN_ZONE = 32  # a common name ends at 64 characters (RFC 5280 appendix A.1)
HASH = hashes.SHA256()
#: For servers only. It closes the uses in which a directory name stands for somebody (client, code, e-mail): a constraint on
#: directory names would do so by name, but makes every Go and rustls program refuse the CA as one it does not understand.
SERVERS_ONLY = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])


def ca(key: ec.EllipticCurvePrivateKey, zones: Iterable[str], now: float) -> x509.Certificate:
    """A self-signed CA for the canonical `zones`, from `now` (Unix seconds) on. Its name is told from that of any other CA."""
    names = tuple(zones)
    title = f"devdns CA {names[0][:MAX_SHOWN_ZONE]} {token_hex(4)}"
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, ORGANISATION),
            x509.NameAttribute(NameOID.COMMON_NAME, title),
        ]
    )
    constraints = x509.NameConstraints(permitted(names), None)
    return (
        _built(key.public_key(), _moment(now), CA_LIFE)
        .subject_name(subject)
        .issuer_name(subject)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs=True), critical=True)
        .add_extension(SERVERS_ONLY, critical=False)
        .add_extension(constraints, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, HASH)
    )


def permitted(zones: Iterable[str]) -> list[x509.GeneralName]:
    """The names a CA may sign for (section 4.2.1.10): a zone stands for itself and all below; e-mail and URIs are closed."""
    return [
        *map(x509.DNSName, zones),
        *map(x509.IPAddress, LOOPBACK),
        x509.RFC822Name(NOWHERE),
        x509.UniformResourceIdentifier(NOWHERE),
    ]


def leaf(
    key: ec.EllipticCurvePrivateKey,
    names: tuple[str, ...],
    issuer: x509.Certificate,
    issuer_key: ec.EllipticCurvePrivateKey,
    now: float,
) -> x509.Certificate:
    """A certificate for these names, for at most `LEAF_LIFE` and never beyond the CA's end.

    Its subject is empty, and its names therefore critical (section 4.2.1.6).
    """
    left = issuer.not_valid_after_utc - _moment(now) + BACKDATED
    identifier = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return (
        _built(key.public_key(), _moment(now), min(LEAF_LIFE, left))
        .subject_name(x509.Name([]))
        .issuer_name(issuer.subject)
        .add_extension(x509.SubjectAlternativeName(map(x509.DNSName, names)), critical=True)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs=False), critical=True)
        .add_extension(SERVERS_ONLY, critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False)
        .sign(issuer_key, HASH)
    )


def zones_of(certificate: x509.Certificate) -> tuple[str, ...]:
    """The zones that a CA of ours may sign for; empty for one that is not limited as ours are."""
    try:
        found = certificate.extensions.get_extension_for_class(x509.NameConstraints)
        limits = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    except (x509.ExtensionNotFound, ValueError):
        return ()
    trees = found.value.permitted_subtrees or ()
    zones = tuple(each.value for each in trees if isinstance(each, x509.DNSName))
    ours = found.critical and limits.ca and list(trees) == permitted(zones)
    return zones if ours else ()


def _moment(now: float) -> datetime:
    return datetime.fromtimestamp(int(now), UTC)  # certificates know whole seconds


def _built(key: ec.EllipticCurvePublicKey, moment: datetime, life: timedelta) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(moment - BACKDATED)
        .not_valid_after(moment - BACKDATED + life)
    )


def _usage(*, signs: bool) -> x509.KeyUsage:
    """A CA signs certificates, a leaf signs handshakes; nothing else (section 4.2.1.3)."""
    return x509.KeyUsage(
        digital_signature=not signs,
        key_cert_sign=signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
