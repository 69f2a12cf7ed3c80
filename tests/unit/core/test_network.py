"""The network as values: what /proc says, and what became of it in words."""

import pytest

from devdns.core.frames import Follower, FrameReader, TableView, encode
from devdns.core.network import Network, Scene, Way, default_ways, differences

HEADING = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n"
WLAN = "wlan0\t00000000\t010200C0\t0003\t0\t0\t600\t00000000\t0\t0\t0\n"
ETH = "eth0\t00000000\t0100000A\t0003\t0\t0\t100\t00000000\t0\t0\t0\n"
TUN = "tun0\t00000000\t00000000\t0001\t0\t0\t50\t00000000\t0\t0\t0\n"
NEAR = "eth0\t0000000A\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0\n"
HALF = "tun0\t00000000\t00000000\t0001\t0\t0\t0\t00000080\t0\t0\t0\n"
SHUT = "lo\t00000000\t00000000\t0201\t0\t0\t0\t00000000\t0\t0\t0\n"
ZERO = "0" * 32
SIX = f"{ZERO} 00 {ZERO} 00 fd000000000000000000000000000001 00000400 00000002 00000000 00000003     eth0\n"
SIX_NOWHERE = f"{ZERO} 00 {ZERO} 00 {ZERO} ffffffff 00000001 00000000 00200200       lo\n"


@pytest.mark.parametrize(
    ("ipv4", "ipv6", "ways"),
    [
        ("", "", ()),
        (HEADING + NEAR, "", ()),
        (HEADING + ETH + NEAR, "", ("eth0 via 10.0.0.1",)),
        (HEADING + WLAN + ETH, "", ("eth0 via 10.0.0.1", "wlan0 via 192.0.2.1")),
        (HEADING + ETH + TUN, "", ("tun0", "eth0 via 10.0.0.1")),
        (HEADING + HALF, "", ()),
        (HEADING + SHUT, SIX_NOWHERE, ()),
        (HEADING, SIX, ("eth0 via fd00::1",)),
        (HEADING + "eth0 nonsense\n", "what\n", ()),
        (
            HEADING + ETH.replace("eth0", "b\u00fcro"),
            SIX.replace("eth0", "a\x1cb"),
            ("b\u00fcro via 10.0.0.1", "a\x1cb via fd00::1"),
        ),
        (HEADING + ETH.replace("eth0", "a\x85"), "", ("a\x85 via 10.0.0.1",)),
    ],
)
def test_the_ways_out_are_the_default_routes_best_first(ipv4, ipv6, ways):
    assert tuple(map(str, default_ways(ipv4, ipv6))) == ways


HOME = Scene((Way("wlan0", "192.0.2.1"),), ("wlan0 192.0.2.7/24",), ("192.0.2.1",))


@pytest.mark.parametrize(
    ("new", "words"),
    [
        (HOME, []),
        (Scene((), HOME.addresses, HOME.servers), ["the way out is gone"]),
        (
            Scene((Way("tun0"), *(HOME.ways or ())), (*HOME.addresses, "tun0 10.8.0.2/32"), ("10.8.0.1",)),
            [
                "the way out is tun0, wlan0 via 192.0.2.1",
                "tun0 10.8.0.2/32 came",
                "resolv.conf names 10.8.0.1",
            ],
        ),
        (Scene(HOME.ways, (), ()), ["wlan0 192.0.2.7/24 left", "resolv.conf names no server"]),
    ],
)
def test_a_change_is_told_in_words(new, words):
    assert list(differences(HOME, new)) == words


@pytest.mark.parametrize(("ways", "online"), [(None, None), ((), False), ((Way("eth0"),), True)])
def test_online_means_a_way_out(ways, online):
    assert Network(1, Scene(ways)).online is online


def test_a_follower_holds_the_network_that_control_told():
    view = TableView()
    assert view.network == Network()
    told = Network(3, HOME)
    (frame,) = FrameReader().feed(encode(told))
    assert Follower(view).take(frame) is None
    assert view.network == told
