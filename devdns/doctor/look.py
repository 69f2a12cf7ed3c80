"""Looks at the machine: files, links, stores, journals. Thin: each function fills one fact, and none raises."""

from __future__ import annotations

import fcntl
import os
import re
import socket
import ssl
import struct
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from devdns.core.errors import DevdnsError
from devdns.core.plain_file import read_regular
from devdns.doctor.facts import Authority, Files
from devdns.system import judged, report, trust_carry
from devdns.system.certificate import Certificate, read
from devdns.system.machine import Machine
from devdns.system.report import Seen
from devdns.system.steps import Block
from devdns.system.trust import trusts
from devdns.system.trust_find import found

MOST = 4 << 20
DROP_IN = "etc/systemd/resolved.conf.d/zz-devdns.conf"
VPN = re.compile(r"(tun|tap|wg|ppp|ipsec|vpn|zt|tailscale|nordlynx|proton|mullvad|cscotun|gpd)")
GET_FLAGS, UP = 0x8913, 0x1  # SIOCGIFFLAGS and IFF_UP of linux
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


def files(root: Path = Path("/")) -> Files:
    """The texts that decide how names are found."""
    return Files(
        resolv_conf=_text(root / "etc/resolv.conf"),
        nsswitch=_text(root / "etc/nsswitch.conf"),
        hosts=_text(root / "etc/hosts"),
        resolved=_text(root / DROP_IN),
        resolvers=_inside(root / "etc/resolver"),
    )


def _inside(folder: Path) -> tuple[tuple[str, str], ...]:
    try:
        return tuple((str(path), _text(path)) for path in sorted(folder.iterdir()))
    except OSError:
        return ()


def vpns() -> tuple[str, ...]:
    """The links that are up and called as those of VPNs are; macOS has such links all the time, and is not asked."""
    if sys.platform != "linux":
        return ()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        return tuple(sorted(name for _, name in socket.if_nameindex() if VPN.match(name) and _is_up(asked, name)))


def _is_up(asked: socket.socket, name: str) -> bool:
    """By netdevice(7): /sys may be that of another network namespace."""
    try:
        (flags,) = struct.unpack_from("16xH", fcntl.ioctl(asked, GET_FLAGS, struct.pack("16sH22x", name.encode(), 0)))
    except OSError:  # it has gone since
        return False
    return bool(flags & UP)


def proxies(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables about proxies, in small letters; where both spellings are there the small one wins, as in curl."""
    return {name: environ.get(name) or environ.get(name.upper()) or "" for name in PROXIES}


def authority(
    state_dir: Path, zones: Iterable[str], home: Path, environ: Mapping[str, str], root: Path = Path("/")
) -> Authority | None:
    """The CA of the state folder and who trusts it; None where there is none."""
    path = state_dir / "ca.pem"
    if not path.exists():
        return None
    try:
        certificate = read(path)
        since, until = _validity(certificate)
    except (DevdnsError, ssl.SSLError, ValueError) as error:
        return Authority(failure=f"ca.pem cannot be used: {error}")
    stores = found(home, environ, root=root)
    return Authority(
        since=since,
        until=until,
        missing=tuple(zone for zone in zones if not _may_sign(certificate, zone)),
        trusts=trusts(stores, certificate),
        once=_once(state_dir, certificate),
        key_mode=_mode(state_dir / "ca.key"),
    )


def _validity(certificate: Certificate) -> tuple[float, float]:
    """Unix times, read by OpenSSL; raises `ssl.SSLError` for what is no CA's certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=certificate.der)
    said = context.get_ca_certs()
    if not said:
        raise ValueError("it is not the certificate of a CA")
    since, until = (str(said[0][key]) for key in ("notBefore", "notAfter"))
    return float(ssl.cert_time_to_seconds(since)), float(ssl.cert_time_to_seconds(until))


def _may_sign(certificate: Certificate, zone: str) -> bool:
    """A name constraint is a context-specific IA5String, tag 0x82 (RFC 5280 section 4.2.1.6), and stands so in the bytes."""
    parents = [zone, *(zone.split(".", depth)[-1] for depth in range(1, zone.count(".") + 1))]
    return any(b"\x82" + bytes([len(each)]) + each.encode() in certificate.der for each in parents)


def _once(state_dir: Path, certificate: Certificate) -> frozenset[str]:
    """The stores that were made to trust this CA, as `KIND PLACE`."""
    with suppress(DevdnsError):
        known = trust_carry.known(state_dir)
        return frozenset(
            f"{each.step.kind} {each.step.place}" for each in known if each.step.certificate == certificate
        )
    return frozenset()


def _mode(path: Path) -> int:
    try:
        return path.stat().st_mode & 0o777
    except OSError:
        return 0


def changes(state_dir: Path) -> tuple[tuple[Seen, ...], str, tuple[str, ...]]:
    """How each change of the machine stands; why the journal cannot be read; and the names it keeps in the hosts file."""
    try:
        entries = judged.journal(state_dir).entries
        seen = report.look(entries, Machine(_nobody))
    except DevdnsError as error:
        return (), str(error), ()
    names = [name for entry in entries if isinstance(entry.step, Block) for name in entry.step.names]
    return tuple(seen), "", tuple(names)


def _nobody(_: str) -> None:
    """Looking tells nothing."""


def leftovers(state_dir: Path, names: Iterable[str]) -> tuple[str, ...]:
    """Which of these files are there."""
    return tuple(each for each in names if os.path.lexists(state_dir / each))


def _text(path: Path) -> str:
    try:
        return read_regular(path, MOST).decode("utf-8", "replace")
    except OSError:
        return ""
