"""The table: look-ups against a naive model, `apply` against a rebuild, and nothing that changes once handed out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devdns.core.names import Claim
from devdns.core.routes import Change, Route, RouteTable, State, Target, pool

T1, T2, T3 = (Target("127.0.0.1", port) for port in (1, 2, 3))


def route(host, prefix="", port=1, **fields):
    return Route(host=host, prefix=prefix, targets=(Target("127.0.0.1", port),), source="docker", **fields)


LOOKUPS = [
    (["a"], "a", "/", "a"),
    (["a"], "a", "", "a"),
    (["a"], "b", "/", None),
    (["a"], "x.a", "/", None),
    (["*.a"], "x.a", "/", "*.a"),
    (["*.a"], "y.x.a", "/", "*.a"),
    (["*.a"], "a", "/", None),
    (["*.a", "x.a"], "x.a", "/", "x.a"),
    (["*.a", "*.x.a"], "y.x.a", "/", "*.x.a"),
    (["*.a", "*.x.a"], "z.y.x.a", "/", "*.x.a"),
    (["a", "a/v2"], "a", "/v2", "a/v2"),
    (["a", "a/v2"], "a", "/v2/", "a/v2"),
    (["a", "a/v2"], "a", "/v2/x", "a/v2"),
    (["a", "a/v2"], "a", "/v22", "a"),
    (["a", "a/v2"], "a", "/v", "a"),
    (["a", "a/v2"], "a", "/V2", "a"),
    (["a/v2", "a/v2/x"], "a", "/v2/x/y", "a/v2/x"),
    (["a/v2"], "a", "/", None),
    (["a/v2"], "a", "/v2%2Fx", None),
    (["a/v2", "*.a", "*.b"], "a", "/v3", None),
    (["x.a/v2", "*.a"], "x.a", "/", "*.a"),
    (["*.a/v2", "*.a"], "x.a", "/v2", "*.a/v2"),
    (["*.x.a/v2", "*.a"], "y.x.a", "/", "*.a"),
]


def named(name, port=1):
    host, slash, prefix = name.partition("/")
    return route(host, slash + prefix, port)


@pytest.mark.parametrize(("names", "host", "path", "found"), LOOKUPS)
def test_lookups(names, host, path, found):
    table = RouteTable(map(named, names))
    got = table.lookup(host, path)
    assert (got.name if got else None) == found


hosts = st.lists(st.sampled_from("abc"), min_size=1, max_size=3).map(".".join)
claimed = st.builds(str.__add__, st.sampled_from(["", "*."]), hosts)
prefixes = st.lists(st.sampled_from("xy"), max_size=3).map(lambda parts: "".join("/" + part for part in parts))
paths = st.lists(st.sampled_from(["x", "y", "xx", ""]), max_size=4).map(
    lambda parts: "".join("/" + part for part in parts)
)
routes = st.builds(route, claimed, prefixes, st.integers(1, 3))
claims = st.builds(Claim, claimed, prefixes)


def covers(prefix, path):
    mine, its = prefix.split("/"), path.split("/")
    return its[: len(mine)] == mine


def naive(routes, host, path):
    """The contract, word by word: the exact host, then the longest wildcard; in each the longest prefix."""
    wildcards = ["*." + host.split(".", count)[count] for count in range(1, host.count(".") + 1)]
    for candidate in [host, *wildcards]:
        fits = [each for each in routes.values() if each.host == candidate and covers(each.prefix, path)]
        if fits:
            return max(fits, key=lambda each: len(each.prefix))
    return None


def by_claim(routes):
    return {each.claim: each for each in routes}


@given(st.lists(routes, max_size=12), hosts, paths)
def test_lookup_equals_a_naive_model(every, host, path):
    assert RouteTable(every).lookup(host, path) == naive(by_claim(every), host, path)


changes = st.builds(
    lambda generation, removed, added: Change(generation, tuple(removed), tuple(by_claim(added).values())),
    st.integers(1, 9),
    st.lists(claims, max_size=4),
    st.lists(routes, max_size=4),
)


@given(st.lists(routes, max_size=8), st.lists(changes, max_size=5), hosts, paths)
def test_apply_equals_a_rebuild_and_leaves_the_old_table_alone(start, steps, host, path):
    table, model = RouteTable(start), by_claim(start)
    for change in steps:
        before, held = dict(by_claim(table)), table
        table = table.apply(change)
        for claim in change.removed:
            model.pop(claim, None)
        model |= by_claim(change.added)
        rebuilt = RouteTable(model.values(), change.generation)
        assert by_claim(table) == model
        assert len(table) == len(model)
        assert sorted(table.hosts()) == sorted(rebuilt.hosts())
        assert table.generation == change.generation
        assert table.lookup(host, path) == rebuilt.lookup(host, path) == naive(model, host, path)
        assert by_claim(held) == before


@given(st.lists(routes, max_size=12))
def test_every_claim_is_found_and_listed_once(every):
    table, model = RouteTable(every), by_claim(every)
    assert {claim: table.get(claim) for claim in model} == model
    assert sorted(each.name for each in table) == sorted(each.name for each in model.values())
    assert all([len(each.prefix) for each in table.at(host)] == sorted((len(each.prefix) for each in table.at(host)), reverse=True) for host in table.hosts())  # fmt: skip


def test_a_table_filled_in_parts_is_the_table():
    table = RouteTable()
    table.extend([named("a"), named("*.a")])
    table.extend([named("a", 2), named("b/x")])
    assert by_claim(table) == by_claim([named("a", 2), named("*.a"), named("b/x")])
    assert repr(table) == "<RouteTable generation 0, 3 routes>"


POOLS = [
    ([(1, State.LIVE)], (T1,), State.LIVE),
    ([(1, State.LIVE), (2, State.LIVE)], (T1, T2), State.LIVE),
    ([(1, State.LIVE), (1, State.LIVE)], (T1,), State.LIVE),
    ([(1, State.UNHEALTHY), (2, State.LIVE), (3, State.STARTING)], (T2,), State.LIVE),
    ([(1, State.UNREACHABLE), (2, State.RESTARTING)], (T2,), State.RESTARTING),
    ([(1, State.RESTARTING), (2, State.STARTING), (1, State.UNHEALTHY)], (T2,), State.STARTING),
    ([(1, State.RESTARTING), (2, State.RESTARTING)], (T1, T2), State.RESTARTING),
]


@pytest.mark.parametrize(("members", "targets", "state"), POOLS)
def test_a_pool_is_what_is_in_the_best_state(members, targets, state):
    merged = pool(route("a", port=port, state=state) for port, state in members)
    assert (merged.targets, merged.state) == (targets, state)


def test_a_change_is_true_when_it_changes_something():
    assert not Change(1)
    assert Change(1, removed=(Claim("a"),))
    assert Change(1, added=(named("a"),))


@pytest.mark.parametrize(
    ("target", "text"),
    [(T1, "http://127.0.0.1:1"), (Target("::1", 2, "h2c"), "h2c://[::1]:2"), (Target("", 0, path="/a"), "unix:/a")],
)
def test_targets_as_text(target, text):
    assert str(target) == text


def raw_route(host, port, target=1):
    return Route(host=host, port=port, targets=(Target("127.0.0.1", target, "tcp"),), source="docker")


def test_raw_routes_are_met_by_no_look_up_of_http():
    table = RouteTable([raw_route("db", 5432), raw_route("db", 6379), route("web")])
    assert table.lookup("db") is None
    assert table.at("db") == ()
    assert [each.port for each in table.raw("db")] == [5432, 6379]
    assert (len(table), sorted(table.hosts())) == (3, ["db", "web"])
    assert {each.name for each in table} == {"db:5432", "db:6379", "web"}


def test_one_name_carries_http_and_raw_tcp_apart():
    http, tcp = route("db"), raw_route("db", 5432)
    table = RouteTable([http, tcp])
    assert (table.lookup("db"), table.raw("db")) == (http, (tcp,))
    assert (table.get(Claim("db")), table.get(Claim("db", port=5432))) == (http, tcp)
    assert list(table.hosts()) == ["db"]
    without = table.apply(Change(1, (Claim("db", port=5432),)))
    assert (without.lookup("db"), without.raw("db")) == (http, ())
    assert table.raw("db") == (tcp,)
    moved = table.apply(Change(1, (), (raw_route("db", 5432, 2),)))
    assert (moved.raw("db")[0].targets[0].port, table.raw("db")[0].targets[0].port) == (2, 1)
    assert moved.apply(Change(2, (Claim("db"),))).lookup("db") is None
