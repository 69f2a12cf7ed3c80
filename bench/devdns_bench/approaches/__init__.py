"""Every way to reach the services of a stack that the bench compares, by name; the order is that of the tables."""

from __future__ import annotations

from devdns_bench.approaches.base import Approach
from devdns_bench.approaches.labelled import DockerGen, Traefik
from devdns_bench.approaches.ours import Devdns
from devdns_bench.approaches.portless import Portless
from devdns_bench.approaches.ports import CoreDns, Dnsmasq, HostsFile, Ports
from devdns_bench.approaches.written import Caddy, Nginx

APPROACHES: dict[str, type[Approach]] = {
    each.name: each for each in (Devdns, Ports, HostsFile, Dnsmasq, CoreDns, Nginx, Caddy, Traefik, DockerGen, Portless)
}
