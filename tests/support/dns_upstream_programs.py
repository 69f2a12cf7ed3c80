"""Real upstreams: unbound and dnsmasq that know a few names of their own, on ports of their own."""

from __future__ import annotations

import contextlib
from pathlib import Path

from support.dns_programs import dnsmasq, unbound

#: What both answer; `big.example.org` needs TCP.
BIG = tuple(f"192.0.2.{number}" for number in range(1, 120))
KNOWN = """
  module-config: "iterator"
  local-zone: "." static
  local-data: ". 300 IN SOA a.root. host.root. 1 3600 600 86400 60"
  local-zone: "example.org." static
  local-data: "example.org. 300 IN SOA ns.example.org. host.example.org. 1 3600 600 86400 60"
  local-data: "www.example.org. 300 IN A 192.0.2.80"
  local-data: "www.example.org. 300 IN AAAA 2001:db8::80"
  local-data: 'www.example.org. 300 IN TXT "a text"'
  local-data: "mail.example.org. 300 IN MX 10 www.example.org."
"""
LINES = """
local=/example.org/
local=/api.dev.test/
host-record=www.example.org,192.0.2.80,2001:db8::80,300
txt-record=www.example.org,a text
mx-host=mail.example.org,www.example.org,10
"""
IN_FRONT = """
  module-config: "iterator"
  do-not-query-localhost: no
  do-ip6: no
  use-caps-for-id: yes
  local-zone: "test." nodefault
  local-zone: "example.org." transparent
"""


def unbound_upstream(where: Path) -> contextlib.AbstractContextManager[int]:
    """unbound as the upstream; everything else does not exist there."""
    return unbound(where, KNOWN + "\n".join(f'  local-data: "big.example.org. 300 IN A {address}"' for address in BIG))


def dnsmasq_upstream(where: Path) -> contextlib.AbstractContextManager[int]:
    """dnsmasq as the upstream, authoritative for nothing and asking nobody."""
    return dnsmasq(where, LINES + "\n".join(f"host-record=big.example.org,{address},300" for address in BIG))


def unbound_in_front(resolver: int, where: Path) -> contextlib.AbstractContextManager[int]:
    """unbound that asks the resolver on 127.0.0.1:`resolver` everything, in changing case (0x20), and checks what returns."""
    zones = f'forward-zone:\n  name: "."\n  forward-addr: 127.0.0.1@{resolver}'
    return unbound(where, IN_FRONT, zones, name="front")


def dnsmasq_in_front(resolver: int, where: Path) -> contextlib.AbstractContextManager[int]:
    """dnsmasq that asks the resolver everything."""
    return dnsmasq(where, f"server=127.0.0.1#{resolver}", name="front")
