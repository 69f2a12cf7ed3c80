"""The network as `/api/v1/status` tells it: what was seen of this machine, and how the resolver's upstreams do. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from devdns.core.figures import Family, Sample
from devdns.core.network import MOST_SHOWN, Network

#: Figures of the resolver's forwarder that say how the network is.
UP, LYING = "devdns_dns_upstream_up", "devdns_dns_upstreams_lying"


def network_shape(network: Network, families: Iterable[Family]) -> dict[str, Any]:
    """`online` is null where the system does not tell; `lying` is true while the upstreams answer what cannot exist."""
    told = list(families)
    scene = network.scene
    return {
        "epoch": network.epoch,
        "online": network.online,
        "ways": [str(way) for way in (scene.ways or ())[:MOST_SHOWN]],
        "addresses": list(scene.addresses[:MOST_SHOWN]),
        "servers": list(scene.servers[:MOST_SHOWN]),
        "upstreams": [
            {"address": dict(each.labels).get("upstream", ""), "up": bool(each.value)} for each in _of(told, UP)
        ],
        "lying": any(each.value for each in _of(told, LYING)),
    }


def _of(families: Iterable[Family], name: str) -> Iterator[Sample]:
    return (sample for family in families if family.name == name for sample in family.samples)
