"""Foreign DNS clients, each as a function from a question to (status, values), and forwarders with configuration of their own."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from pathlib import Path

import dns.exception
import dns.rdatatype
import dns.resolver
import pycares

from support import dns_programs
from support.debian import unpacked
from support.dns_programs import BOUND, answering, run
from support.parts import need_root
from support.ports import free_port
from support.waiting import wait_until

Outcome = tuple[str, tuple[str, ...]]
Client = Callable[[str, int, str, str], Outcome]


def _shown(text: str) -> Outcome:
    """dig and kdig print alike, but for a space before some values."""
    found = re.search(r"status: (\w+)", text)
    assert found, text
    answer = re.findall(r"^\S+\s+\d+\s+IN\s+\S+\s+(.+)$", text, re.MULTILINE)
    return found[1], tuple(sorted(value.replace("\\/", "/") for value in answer))


def dig(host: str, port: int, name: str, rdtype: str) -> Outcome:
    return _shown(run("dig", f"@{host}", "-p", str(port), "+tries=1", "+noall", "+comments", "+answer", name, rdtype))


def kdig(host: str, port: int, name: str, rdtype: str) -> Outcome:
    return _shown(run("kdig", f"@{host}", "-p", str(port), "+retry=0", "+noall", "+header", "+answer", name, rdtype))


def dnspython(host: str, port: int, name: str, rdtype: str) -> Outcome:
    resolver = dns.resolver.Resolver(configure=False)
    resolver.nameservers, resolver.port, resolver.lifetime = [host], port, BOUND
    try:
        answer = resolver.resolve(f"{name}.", rdtype, raise_on_no_answer=False)
    except dns.resolver.NXDOMAIN:
        return "NXDOMAIN", ()
    return "NOERROR", tuple(sorted(str(value) for value in answer.rrset or ()))


def cares(host: str, port: int, name: str, rdtype: str) -> Outcome:
    told: list[tuple[object, int | None]] = []
    address = f"[{host}]" if ":" in host else host
    with contextlib.closing(pycares.Channel(servers=[f"{address}:{port}"], timeout=2.0, tries=2)) as channel:
        channel.query(name, getattr(pycares, f"QUERY_TYPE_{rdtype}"), callback=lambda *result: told.append(result))
        wait_until(lambda: told, what="an answer to c-ares")
    result, error = told[0]
    if error is not None:
        return {pycares.errno.ARES_ENODATA: "NOERROR", pycares.errno.ARES_ENOTFOUND: "NXDOMAIN"}[error], ()
    return "NOERROR", tuple(sorted(_cares_value(record.data) for record in result.answer))  # type: ignore[attr-defined]


def _cares_value(data: object) -> str:
    if hasattr(data, "addr"):
        return str(data.addr)
    if hasattr(data, "priority"):
        return f"{data.priority} {data.weight} {data.port} {data.target}."
    raise AssertionError(f"no test asks c-ares for {data!r}")


#: As a stub of ours, checking case (0x20) and hiding nothing.
STUB = """
  do-not-query-localhost: no
  do-ip6: no
  use-caps-for-id: yes
  qname-minimisation: yes
  qname-minimisation-strict: yes
  harden-below-nxdomain: yes
  local-zone: "test." nodefault
  domain-insecure: "test."
"""


def unbound(upstream: int, where: Path) -> contextlib.AbstractContextManager[int]:
    """unbound with `test.` as a stub of the resolver on 127.0.0.1:`upstream`."""
    return dns_programs.unbound(where, STUB, f'stub-zone:\n  name: "test."\n  stub-addr: 127.0.0.1@{upstream}')


def dnsmasq(upstream: int, where: Path) -> contextlib.AbstractContextManager[int]:
    """dnsmasq that sends `test.` to the resolver on 127.0.0.1:`upstream`."""
    return dns_programs.dnsmasq(where, f"cache-size=1000\nserver=/test/127.0.0.1#{upstream}")


def bind(upstream: int, where: Path) -> contextlib.AbstractContextManager[int]:
    """BIND 9 that sends `test.` to the resolver on 127.0.0.1:`upstream`, without validation."""
    port = free_port()
    (where / "named.conf").write_text(f"""
options {{
  directory "{where}";
  pid-file none;
  session-keyfile none;
  listen-on port {port} {{ 127.0.0.1; }};
  listen-on-v6 {{ none; }};
  recursion yes;
  dnssec-validation no;
  qname-minimization strict;
}};
controls {{ }};
zone "test" {{ type forward; forward only; forwarders {{ 127.0.0.1 port {upstream}; }}; }};
""")
    named = unpacked("bind9") / "usr/sbin/named"
    return answering([str(named), "-g", "-n", "1", "-c", str(where / "named.conf")], port, where / "named.log")


#: systemd-resolved has its settings at one place, its state at another, and a user of its own: all of it private here.
RESOLVED = """
mount -t tmpfs none /etc/systemd
cp resolved.conf /etc/systemd/resolved.conf
mount -t tmpfs none /run
mkdir /run/systemd
mount --bind passwd /etc/passwd
mount --bind group /etc/group
exec "$@"
"""


def resolved(upstream: int, where: Path) -> contextlib.AbstractContextManager[int]:
    """systemd-resolved with the resolver on 127.0.0.1:`upstream` as its only server, keeping what it hears."""
    need_root("a mount namespace for systemd-resolved")
    port = free_port()
    (where / "resolved.conf").write_text(f"""
[Resolve]
DNS=127.0.0.1:{upstream}
FallbackDNS=
Domains=~.
DNSSEC=no
DNSOverTLS=no
LLMNR=no
MulticastDNS=no
Cache=yes
CacheFromLocalhost=yes
ReadEtcHosts=no
DNSStubListener=no
DNSStubListenerExtra=127.0.0.1:{port}
""")
    for name, line in (
        ("passwd", "systemd-resolve:x:65533:65533::/:/bin/false\n"),
        ("group", "systemd-resolve:x:65533:\n"),
    ):
        (where / name).write_text(Path("/etc", name).read_text() + line)
    root = unpacked("systemd-resolved", "libsystemd-shared", "libapparmor1", "libip4tc2", "libkmod2")
    libraries = ":".join(sorted({str(path.parent) for path in root.rglob("lib*.so*")}))
    entered = [
        "unshare",
        "--mount",
        "env",
        f"--chdir={where}",
        f"LD_LIBRARY_PATH={libraries}",
        "sh",
        "-ec",
        RESOLVED,
        "sh",
    ]
    return answering([*entered, str(root / "lib/systemd/systemd-resolved")], port, where / "resolved.log")
