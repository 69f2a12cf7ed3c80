"""The store: who wins a name, who keeps it, and a change for every difference and none else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devdns.core.names import Claim
from devdns.core.routes import Change, Route, RouteTable, State, Target, pool
from devdns.core.sources import rank
from devdns.core.store import RouteStore

API = Claim("api.dev.test")


def route(source, owner="", host="api.dev.test", port=1, prefix="", state=State.LIVE):
    return Route(
        host=host, prefix=prefix, targets=(Target("127.0.0.1", port),), source=source, owner=owner, state=state
    )


def winner(store, claim=API):
    found = store.table.get(claim)
    return (found.source, found.owner) if found else None


def test_a_statement_is_a_change_and_the_same_again_is_none():
    store = RouteStore()
    first = store.replace("docker", [route("docker", "a")])
    assert first == Change(1, (), (route("docker", "a"),))
    table = store.table
    assert store.replace("docker", [route("docker", "a")]) == Change(1)
    assert store.table is table
    assert store.replace("docker", []) == Change(2, (API,))
    assert len(store.table) == 0


def test_the_stronger_source_wins_whenever_it_comes_and_the_weaker_is_back_when_it_leaves():
    store = RouteStore()
    store.replace("mdns", [route("mdns")])
    for source in ("docker", "run", "file:/x", "manual"):
        store.replace(source, [route(source)])
        assert winner(store) == (source, "")
    assert [each.source for each in store.beaten(API)] == ["file:/x", "run", "docker", "mdns"]
    for source, next_one in (("manual", "file:/x"), ("file:/x", "run"), ("run", "docker"), ("docker", "mdns")):
        assert store.replace(source, []).added == (route(next_one),)
    assert store.replace("mdns", []).removed == (API,)


def test_between_equals_the_first_owner_keeps_the_name_until_it_leaves():
    store = RouteStore()
    store.replace("docker", [route("docker", "b")])
    store.replace("docker", [route("docker", "a"), route("docker", "b")])
    assert winner(store) == ("docker", "b")
    store.replace("docker", [route("docker", "a"), route("docker", "b", port=2, state=State.RESTARTING)])
    assert winner(store) == ("docker", "b")
    store.replace("docker", [route("docker", "a")])
    assert winner(store) == ("docker", "a")
    store.replace("docker", [route("docker", "a"), route("docker", "b")])
    assert winner(store) == ("docker", "a")


def test_files_are_equals_among_each_other():
    store = RouteStore()
    store.replace("file:/b", [route("file:/b")])
    store.replace("file:/a", [route("file:/a")])
    assert winner(store) == ("file:/b", "")
    assert [(each.winner.source, each.loser.source) for each in store.conflicts()] == [("file:/b", "file:/a")]


def test_replicas_of_one_owner_are_a_pool_and_other_owners_are_not():
    store = RouteStore()
    store.replace(
        "docker", [route("docker", "web", port=1), route("docker", "web", port=2), route("docker", "x", port=3)]
    )
    assert [target.port for target in store.table.get(API).targets] == [1, 2]
    assert [each.loser.owner for each in store.conflicts()] == ["x"]
    change = store.replace("docker", [route("docker", "web", port=2), route("docker", "x", port=3)])
    assert [target.port for target in change.added[0].targets] == [2]


def test_a_change_of_a_loser_is_no_change_of_the_table():
    store = RouteStore()
    store.replace("manual", [route("manual")])
    assert not store.replace("mdns", [route("mdns")])
    assert not store.replace("mdns", [route("mdns", port=2)])
    assert store.beaten(API) == (route("mdns", port=2),)
    assert store.stated("mdns") == (route("mdns", port=2),)


def test_a_forgotten_source_leaves_nothing():
    store = RouteStore()
    store.replace("file:/a", [route("file:/a")])
    assert store.forget("file:/a").removed == (API,)
    assert store.stated("file:/a") == ()
    assert not store.forget("file:/a")


@pytest.mark.parametrize(("source", "routes"), [("docker", [route("mdns")]), ("dockers", [])])
def test_a_statement_under_a_wrong_name_is_an_error_of_ours_and_changes_nothing(source, routes):
    store = RouteStore()
    store.replace("docker", [route("docker")])
    table = store.table
    with pytest.raises(ValueError, match=r"not"):
        store.replace(source, routes)
    assert store.table is table
    assert store.stated("docker") == (route("docker"),)


SOURCES = ["manual", "file:/a", "file:/b", "docker", "mdns"]
members = st.lists(
    st.tuples(st.sampled_from("xy"), st.sampled_from("ab"), st.integers(1, 3), st.sampled_from(State)), max_size=5
)
statements = st.lists(st.tuples(st.sampled_from(SOURCES), members), max_size=8)


def stated(source, rows):
    return [route(source, owner, f"{host}.dev.test", port, state=state) for host, owner, port, state in rows]


class Model:
    """The contract without indexes: everything is computed anew from what was said."""

    def __init__(self):
        self.said = {}
        self.arrivals = {}

    def replace(self, source, routes):
        pools = {}
        for each in routes:
            pools.setdefault((source, each.owner, each.claim), []).append(each)
        self.arrivals = {key: value for key, value in self.arrivals.items() if key[0] != source or key in pools}
        for key in pools:
            self.arrivals.setdefault(key, max(self.arrivals.values(), default=0) + 1)
        self.said[source] = {key: pool(every) for key, every in pools.items()}

    def ranked(self):
        claims = {}
        for every in self.said.values():
            for key, merged in every.items():
                claims.setdefault(merged.claim, []).append((rank(key[0]), self.arrivals[key], merged))
        return {
            claim: [merged for *_, merged in sorted(rows, key=lambda row: row[:2])] for claim, rows in claims.items()
        }


@given(statements)
def test_the_store_equals_its_model_and_its_changes_rebuild_the_table(steps):
    store, model, mirror = RouteStore(), Model(), RouteTable()
    for source, rows in steps:
        routes = stated(source, rows)
        before = store.table
        change = store.replace(source, routes)
        model.replace(source, routes)
        ranked = model.ranked()
        assert {each.claim: each for each in store.table} == {claim: rows[0] for claim, rows in ranked.items()}
        assert {claim: store.beaten(claim) for claim in ranked} == {
            claim: tuple(rows[1:]) for claim, rows in ranked.items()
        }
        assert len(store.conflicts()) == sum(len(rows) - 1 for rows in ranked.values())
        assert store.table.generation == before.generation + bool(change)
        assert change or store.table is before
        assert not set(change.removed) & {each.claim for each in change.added}
        mirror = mirror.apply(change)
        assert sorted(mirror, key=str) == sorted(store.table, key=str)


@given(st.lists(st.tuples(st.sampled_from(SOURCES), members), unique_by=lambda row: rank(row[0])), st.randoms())
def test_sources_of_different_strength_may_speak_in_any_order(said, chance):
    """Their last words decide, not who was first: a restart of control reads them in another order."""
    tables = []
    for _ in range(2):
        store = RouteStore()
        for source, rows in said:
            store.replace(source, stated(source, rows))
        tables.append({each.claim: each for each in store.table})
        chance.shuffle(said)
    assert tables[0] == tables[1]


@given(statements)
def test_everything_said_is_kept_and_everything_withdrawn_is_gone(steps):
    store = RouteStore()
    for source, rows in steps:
        store.replace(source, stated(source, rows))
    for source in SOURCES:
        store.replace(source, [])
    assert len(store.table) == 0
    assert store.conflicts() == ()
    assert not store._claims
