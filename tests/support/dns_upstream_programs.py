"""Real upstreams: unbound and dnsmasq that know a few names of their own, on ports of their own."""

from __future__ import annotations

import contextlib
from pathlib import Path

from support.dns_clients import _forwarder
from support.ports import free_port

#: What both answer; `big.example.org` needs TCP.
BIG = tuple(f"192.0.2.{number}" for number in range(1, 120))


def unbound_upstream(where: Path) -> contextlib.AbstractContextManager[int]:
    """unbound as the upstream; everything else does not exist there."""
    port = free_port()
    big = "\n".join(f'  local-data: "big.example.org. 300 IN A {address}"' for address in BIG)
    (where / "unbound.conf").write_text(f"""
server:
  interface: 127.0.0.1@{port}
  do-daemonize: no
  use-syslog: no
  username: ""
  chroot: ""
  directory: "{where}"
  pidfile: ""
  module-config: "iterator"
  local-zone: "." static
  local-data: ". 300 IN SOA a.root. host.root. 1 3600 600 86400 60"
  local-zone: "example.org." static
  local-data: "example.org. 300 IN SOA ns.example.org. host.example.org. 1 3600 600 86400 60"
  local-data: "www.example.org. 300 IN A 192.0.2.80"
  local-data: "www.example.org. 300 IN AAAA 2001:db8::80"
  local-data: 'www.example.org. 300 IN TXT "a text"'
  local-data: "mail.example.org. 300 IN MX 10 www.example.org."
{big}
remote-control:
  control-enable: no
""")
    return _forwarder(["unbound", "-d", "-c", str(where / "unbound.conf")], port, where / "unbound.log")


def dnsmasq_upstream(where: Path) -> contextlib.AbstractContextManager[int]:
    """dnsmasq as the upstream, authoritative for nothing and asking nobody."""
    port = free_port()
    big = "\n".join(f"host-record=big.example.org,{address},300" for address in BIG)
    (where / "dnsmasq.conf").write_text(f"""
port={port}
listen-address=127.0.0.1
bind-interfaces
no-resolv
no-hosts
no-poll
user=
pid-file=
local=/example.org/
local=/api.dev.test/
host-record=www.example.org,192.0.2.80,2001:db8::80,300
txt-record=www.example.org,a text
mx-host=mail.example.org,www.example.org,10
{big}
""")
    return _forwarder(["dnsmasq", "-k", "-C", str(where / "dnsmasq.conf")], port, where / "dnsmasq.log")


def unbound_in_front(resolver: int, where: Path) -> contextlib.AbstractContextManager[int]:
    """unbound that asks the resolver on 127.0.0.1:`resolver` everything, in changing case (0x20), and checks what returns."""
    port = free_port()
    (where / "front.conf").write_text(f"""
server:
  interface: 127.0.0.1@{port}
  do-daemonize: no
  use-syslog: no
  username: ""
  chroot: ""
  directory: "{where}"
  pidfile: ""
  module-config: "iterator"
  do-not-query-localhost: no
  do-ip6: no
  use-caps-for-id: yes
  local-zone: "test." nodefault
  local-zone: "example.org." transparent
remote-control:
  control-enable: no
forward-zone:
  name: "."
  forward-addr: 127.0.0.1@{resolver}
""")
    return _forwarder(["unbound", "-d", "-c", str(where / "front.conf")], port, where / "front.log")


def dnsmasq_in_front(resolver: int, where: Path) -> contextlib.AbstractContextManager[int]:
    """dnsmasq that asks the resolver everything."""
    port = free_port()
    (where / "front.conf").write_text(f"""
port={port}
listen-address=127.0.0.1
bind-interfaces
no-resolv
no-hosts
no-poll
user=
pid-file=
server=127.0.0.1#{resolver}
""")
    return _forwarder(["dnsmasq", "-k", "-C", str(where / "front.conf")], port, where / "front.log")
