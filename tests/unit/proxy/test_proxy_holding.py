"""What a request that cannot go on does now: decisions over a route, a time and two tables."""

from __future__ import annotations

import resource

import pytest
from support.http_proxy import route

from devdns.core.names import Claim
from devdns.core.routes import Change, RouteTable, State, Target
from devdns_proxy.departures import moved
from devdns_proxy.heads import Meaning
from devdns_proxy.holding import body_size, bound, ways
from devdns_proxy.limits import Limits, fitting

LIMITS = Limits(refused_hold=5.0)
NEVER = 0.0
SINCE = 100.0
#: state (None: no route), the route's own hold, first refused at, answered at
BOUNDS = [
    (None, None, NEVER, 0.0),
    (State.RESTARTING, None, NEVER, 115.0),
    (State.STARTING, None, NEVER, 115.0),
    (State.STARTING, 2.0, NEVER, 102.0),
    (State.RESTARTING, 0.0, NEVER, 100.0),
    (State.RESTARTING, None, 101.0, 115.0),  # what it was refused before is another matter
    (State.LIVE, None, NEVER, 0.0),
    (State.LIVE, None, 100.0, 105.0),
    (State.LIVE, None, 112.0, 115.0),  # never longer in all than the hold
    (State.LIVE, 3.0, 100.0, 103.0),
    (State.LIVE, 20.0, 100.0, 120.0),  # what the route itself says is what its service needs
    (State.LIVE, 20.0, 112.0, 120.0),
    (State.UNHEALTHY, None, NEVER, 0.0),
    (State.UNREACHABLE, None, NEVER, 0.0),
    (State.UNREACHABLE, None, 100.0, 0.0),
]


@pytest.mark.parametrize(("state", "own", "refused", "until"), BOUNDS)
def test_how_long_a_request_may_wait(state, own, refused, until):
    waited_for = route("api", 1, state=state, hold=own) if state else None
    assert bound(waited_for, 15.0, LIMITS, SINCE, refused) == until


SIZES = [({}, 0), ({"length": 0}, 0), ({"length": 10}, 10), ({"length": 10**9}, 1_000), ({"chunked": True}, 1_000)]


@pytest.mark.parametrize(("framing", "size"), SIZES)
def test_what_is_read_of_the_body_of_a_held_request(framing, size):
    meaning = Meaning("api.dev.test", b"", b"", b"", keep=True, own=False, loop=False, **framing)
    assert body_size(meaning, 1_000) == size


HERE = RouteTable([route("api", 1), route("api/v2", 2), route("*.shop", 3)])
#: host, routes added, whether a look-up of the host may find another one
CHANGES = [
    ("api.dev.test", [route("other", 9)], False),
    ("api.dev.test", [route("api", 9)], True),
    ("api.dev.test", [route("api/v3", 9)], True),
    ("api.dev.test", [route("*.api", 9)], False),
    ("a.b.shop.dev.test", [route("*.b.shop", 9)], True),
    ("a.b.shop.dev.test", [route("*.shop", 9)], True),
    ("a.b.shop.dev.test", [route("b.shop", 9)], False),
    ("a.b.shop.dev.test", [route("a.b.shop", 9)], True),
    ("api.dev.test", [route("api", 1)], False),  # said again
]


@pytest.mark.parametrize(("host", "added", "other"), CHANGES)
def test_who_waits_for_a_host_looks_again_only_when_its_routes_changed(host, added, other):
    after = HERE.apply(Change(1, (), tuple(added)))
    assert (ways(HERE, host) != ways(after, host)) is other


def at(*ports):
    return frozenset(Target("127.0.0.1", port) for port in ports)


#: the change of a table where a leads to 1 and b to 2 and 3; the targets that have moved; all of 1 to 4 are known
MOVES = [
    ([], [route("a", 4)], at(1, 4)),
    ([], [route("a", 2), route("b", 1, 3)], at(1, 2, 3)),
    ([], [route("b", 2)], at(2, 3)),
    ([], [route("a", 1, state=State.RESTARTING)], at(1)),
    ([], [route("c", 4)], at(4)),
    ([], [route("a", 1)], at()),
    ([Claim("a.dev.test")], [], at(1)),
    ([Claim("gone.dev.test")], [route("c", 9)], at()),
]


@pytest.mark.parametrize(("removed", "added", "targets"), MOVES)
def test_targets_that_have_changed_hands(removed, added, targets):
    old = RouteTable([route("a", 1), route("b", 2, 3)])
    change = Change(1, tuple(removed), tuple(added))
    assert moved(at(1, 2, 3, 4), old, old.apply(change), change.hosts()) == targets


def test_where_it_is_not_known_what_changed_all_may_have():
    assert moved(at(1, 2), RouteTable(), RouteTable(), None) == at(1, 2)


@pytest.mark.parametrize(("files", "most"), [(1_024, 480), (20_000, 8_192), (resource.RLIM_INFINITY, 8_192), (10, 1)])
def test_a_client_gets_no_more_connections_than_there_are_descriptors_for(files, most):
    assert fitting(Limits(), files).connections_loopback == most
