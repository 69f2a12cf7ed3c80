"""`devdns export FORMAT`: the names that are known now, as text for another program, on stdout."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Interface, ip_address
from pathlib import Path
from urllib.parse import urlsplit

import click

from devdns.bridges import bridges
from devdns.cli.client import Body, Client
from devdns.cli.options import common, option
from devdns.core.compose_file import services as services_of
from devdns.core.errors import DevdnsError, UsageRefused
from devdns.exports import compose
from devdns.exports.hosts import dnsmasq, hosts
from devdns.exports.nginx import nginx
from devdns.exports.sites import sites
from devdns.system.bundle import bundle
from devdns.system.certificate import read

FORMATS = ("compose", "hosts", "dnsmasq", "nginx")
NGINX_PORT = 80
COMPOSE_FILES = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")


@click.command(short_help="Print the names for another program.")
@click.argument("format_", metavar="FORMAT", type=click.Choice(FORMATS))
@option(
    "--service",
    "services",
    multiple=True,
    metavar="NAME",
    help="compose: a service that gets the names; several times.  [default: all of the compose file here]",
)
@option(
    "--gateway",
    metavar="ADDRESS",
    help="compose: the gateway of the containers' network, where the resolver listens.  [default: as found]",
)
@common
def export(*, format_: str, services: Sequence[str], gateway: str | None, state_dir: Path, config: Path | None) -> None:  # noqa: ARG001 - -c is understood by every command
    """Print the names for another program: compose, hosts, dnsmasq or nginx."""
    client = Client(state_dir)
    status, rows = client.ask("GET", "/api/v1/status"), client.ask("GET", "/api/v1/routes")["routes"]
    found = sites(row for row in rows if not row["port"])
    if format_ == "compose":
        said = compose.text(found, services or _services(), _reach(state_dir, rows, gateway))
    elif format_ == "hosts":
        said = hosts(found, _hosts_addresses(status))
    elif format_ == "nginx":
        said = nginx((row for row in rows if not row["port"]), NGINX_PORT)
    else:
        said = _dnsmasq(status)
    sys.stdout.write(said)
    sys.stdout.flush()


def _services() -> list[str]:
    """Those of the compose file in the working directory; raises `UsageRefused` where there is none."""
    path = next((path for path in map(Path, COMPOSE_FILES) if path.is_file()), None)
    if path is None:
        raise UsageRefused("there is no compose file here", "name the services with --service NAME")
    return services_of(path.read_bytes(), str(path))


def _reach(state_dir: Path, rows: Iterable[Body], gateway: str | None) -> compose.Reach:
    where = _address(gateway) if gateway else _found_gateway(rows)
    ca = state_dir / "ca.pem"
    if not ca.exists():
        return compose.Reach(where)
    return compose.Reach(where, str(ca), str(bundle(state_dir, read(ca))))


def _address(text: str) -> str:
    try:
        return str(ip_address(text))
    except ValueError:
        raise UsageRefused(f"--gateway {text!r} is no address", "write it like 172.18.0.1") from None


def _found_gateway(rows: Iterable[Body]) -> str:
    """That of the bridge where most containers with a name are; empty where there is none, as with Docker Desktop."""
    networks = [IPv4Interface(each.place) for each in bridges()]
    places = [place for row in rows for target in row["targets"] for place in networks if _inside(target, place)]
    return str(Counter(places).most_common(1)[0][0].ip) if places else ""


def _inside(target: str, place: IPv4Interface) -> bool:
    try:
        return IPv4Address(urlsplit(target).hostname or "") in place.network
    except ValueError:
        return False


def _hosts_addresses(status: Body) -> list[str]:
    """The loopback addresses of the proxy."""
    places = [str(place[0]) for place in status["listeners"].get("http") or ()]
    return list(dict.fromkeys(each for each in places if ip_address(each).is_loopback)) or ["127.0.0.1"]


def _dnsmasq(status: Body) -> str:
    places = status["listeners"].get("dns") or ()
    if not places:
        raise DevdnsError("no resolver of devdns listens", "devdns status")
    return dnsmasq(status["zones"], str(places[0][0]), int(places[0][1]))
