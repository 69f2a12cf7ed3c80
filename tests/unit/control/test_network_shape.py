"""How status tells of the network, from what was seen and what the resolver counted."""

from devdns.control.network_shape import network_shape
from devdns.core.figures import Family, Sample
from devdns.core.network import Network, Scene, Way

UP = Family(
    "devdns_dns_upstream_up",
    "gauge",
    "",
    tuple(Sample(up, (("upstream", where),)) for where, up in (("a", 1), ("b", 0))),
)
LYING = Family("devdns_dns_upstreams_lying", "gauge", "", (Sample(1),))


def test_the_upstreams_are_those_that_the_resolver_told_of():
    network = Network(4, Scene((Way("eth0", "10.0.0.1"),), ("eth0 10.0.0.2/24",), ("10.0.0.1",)))
    assert network_shape(network, [UP, LYING]) == {
        "epoch": 4,
        "online": True,
        "ways": ["eth0 via 10.0.0.1"],
        "addresses": ["eth0 10.0.0.2/24"],
        "servers": ["10.0.0.1"],
        "upstreams": [{"address": "a", "up": True}, {"address": "b", "up": False}],
        "lying": True,
    }


def test_without_a_forwarder_there_are_no_upstreams_and_what_cannot_be_told_is_null():
    shown = network_shape(Network(), [])
    assert (shown["online"], shown["upstreams"], shown["lying"]) == (None, [], False)
