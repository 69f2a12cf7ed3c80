"""The names as lines of a hosts file, and the zones as dnsmasq's configuration. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from devdns.exports.sites import HOST, Site


def hosts(sites: Iterable[Site], addresses: Sequence[str]) -> str:
    """A line for each name and address (hosts(5)); wildcards, which the format does not know, are comments."""
    lines = ["# Written by devdns export hosts"]
    for site in sites:
        lines += [f"# {site.host}: no wildcards here"] if site.is_wildcard else []
        lines += [] if site.is_wildcard else [f"{address}\t{site.host}" for address in addresses]
    return "".join(f"{line}\n" for line in lines)


def dnsmasq(zones: Iterable[str], address: str, port: int) -> str:
    """Configuration that lets dnsmasq ask devdns for everything below the zones."""
    lines = ["# Written by devdns export dnsmasq"]
    for zone in (each for each in zones if HOST.fullmatch(f"a.{each}")):
        lines += [f"server=/{zone}/{address}#{port}", f"rebind-domain-ok=/{zone}/"]
    return "".join(f"{line}\n" for line in lines)
