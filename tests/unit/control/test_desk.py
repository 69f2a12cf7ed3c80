"""The desk of leaves: who gets which, what is refused, what is renewed. The clock is a number."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devdns.control.desk import BURST, LOOK, MOST_ASKED, RATE, Desk
from devdns.control.leaf_names import names_for, names_of_route
from devdns.core.errors import UsageRefused
from devdns.core.leaves import MOST_LEAVES, Leaf, Refused
from devdns.core.names import Zones

DAY = 86_400.0
LIFE = 90 * DAY
ZONES = Zones(("dev.test", "shop.test"))


class Clock:
    def __init__(self):
        self.now = 1_800_000_000.0

    def __call__(self):
        return self.now


class Counting:
    """A signer that counts; its leaves tell their number."""

    def __init__(self):
        self.signed = []

    def leaf(self, names, now):
        self.signed.append(names)
        return Leaf(names, f"chain {len(self.signed)}", "key", now + LIFE)


class Files:
    """The user's certificate as its files have it."""

    def __init__(self, *names, until=2e9):
        self.now = Leaf(names, "own 1", "key", until)

    def leaf(self, now):  # noqa: ARG002 - as the real one is called
        if isinstance(self.now, Exception):
            raise self.now
        return self.now


class Scene:
    def __init__(self, zones=ZONES, own=None):
        self.clock, self.signer, self.own = Clock(), Counting(), own
        self.desk = Desk(zones, lambda: self.signer, self.clock, own)
        self.desk.open()

    def names(self):
        return [leaf.names for leaf in self.desk.leaves().leaves]


def wild(host):
    return host, f"*.{host}"


@pytest.mark.parametrize(
    ("host", "names"),
    [
        ("dev.test", wild("dev.test")),
        ("api.dev.test", wild("dev.test")),
        ("web.shop.dev.test", wild("shop.dev.test")),
        ("a.b.c.dev.test", wild("b.c.dev.test")),
        ("shop.test", wild("shop.test")),
        ("lan", ("lan",)),
        ("api.lan", ("api.lan",)),
        ("web.api.lan", wild("api.lan")),
    ],
)
def test_one_leaf_serves_all_beside_a_name_where_clients_take_that(host, names):
    assert names_for(host, Zones(("dev.test", "shop.test", "lan"))) == names


def test_a_wildcard_route_needs_the_wildcard_itself():
    assert names_of_route("*.api.dev.test", ZONES) == wild("api.dev.test")
    assert names_of_route("*.dev.test", ZONES) == wild("dev.test")


LABELS = st.from_regex(r"[a-z]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True)


@given(st.lists(LABELS, max_size=5).map(lambda labels: ".".join([*labels, "dev.test"])))
def test_a_leaf_covers_the_name_it_was_signed_for_and_stays_in_the_zone(host):
    names = names_for(host, ZONES)
    assert Leaf(names, "", "", 0).covers(host)
    assert {ZONES.of(name.removeprefix("*.")) for name in names} == {"dev.test"}


def test_each_zone_has_a_leaf_and_the_first_is_the_fallback():
    assert Scene().names() == [wild("dev.test"), wild("shop.test")]


def test_only_routes_that_no_leaf_covers_get_one():
    scene = Scene()
    new = scene.desk.know(["api.dev.test", "web.shop.dev.test", "db.shop.dev.test", "dev.test"])
    assert [leaf.names for leaf in new] == [wild("shop.dev.test")]
    assert scene.desk.know(["other.shop.dev.test"]) == []
    assert scene.names() == [wild("dev.test"), wild("shop.test"), wild("shop.dev.test")]


def test_there_is_an_end_to_those_pushed():
    scene = Scene()
    scene.desk.know([f"a.n{number}.dev.test" for number in range(MOST_LEAVES + 50)])
    assert len(scene.names()) == MOST_LEAVES - 1
    assert isinstance(scene.desk.ask(f"a.n{MOST_LEAVES + 10}.dev.test"), Leaf)


def test_a_name_asked_for_is_signed_once():
    scene = Scene()
    found = scene.desk.ask("A.b.Dev.Test.")
    assert found.names == wild("b.dev.test")
    assert scene.desk.ask("c.b.dev.test") == found
    assert scene.desk.ask("api.dev.test").names == wild("dev.test")
    assert len(scene.signer.signed) == 3
    assert wild("b.dev.test") not in scene.names()  # who asked has it; the others ask when they need it


def test_a_name_asked_for_first_is_not_signed_again_for_its_route():
    scene = Scene()
    found = scene.desk.ask("a.b.dev.test")
    assert scene.desk.know(["x.b.dev.test"]) == [found]


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("example.com", "in no zone"),
        ("localhost", "in no zone"),
        ("127.0.0.1", "in no zone"),
        ("test", "in no zone"),
        ("evildev.test", "in no zone"),
        ("*.a.dev.test", "letters, digits"),
        ("a_b.dev.test", "letters, digits"),
        ("a..dev.test", "empty part"),
        ("", "empty"),
        ("x" * 64 + ".a.dev.test", "over 63"),
        ("a.b.dev.test\0.example.com", "letters, digits|in no zone"),
    ],
)
def test_no_other_name_gets_a_leaf(name, why):
    scene = Scene()
    before = len(scene.signer.signed)
    found = scene.desk.ask(name)
    assert isinstance(found, Refused)
    assert found.name == name
    assert re.search(why, found.reason)
    assert len(scene.signer.signed) == before
    assert scene.desk.counts.refused == 1


def test_new_names_are_bounded_in_rate():
    scene = Scene()
    found = [scene.desk.ask(f"a.n{number}.dev.test") for number in range(BURST + 20)]
    assert [isinstance(each, Leaf) for each in found] == [True] * BURST + [False] * 20
    assert found[-1].reason == "too many new names at once"
    assert isinstance(scene.desk.ask("b.n1.dev.test"), Leaf)  # what is there costs nothing
    scene.clock.now += 1
    more = [scene.desk.ask(f"a.m{number}.dev.test") for number in range(int(RATE) + 5)]
    assert sum(isinstance(each, Leaf) for each in more) == int(RATE)


def test_a_clock_that_is_set_back_refuses_nobody_for_long():
    scene = Scene()
    for number in range(BURST):
        scene.desk.ask(f"a.n{number}.dev.test")
    scene.clock.now -= 1_000
    assert isinstance(scene.desk.ask("a.b.dev.test"), Refused)
    scene.clock.now += 1
    assert isinstance(scene.desk.ask("a.b.dev.test"), Leaf)


def test_names_asked_for_are_bounded_in_number():
    scene = Scene()
    for number in range(MOST_ASKED + 10):
        scene.clock.now += 1
        scene.desk.ask(f"a.n{number}.dev.test")
    before = len(scene.signer.signed)
    assert scene.desk.ends()[0] == MOST_ASKED + 2
    scene.desk.ask(f"b.n{MOST_ASKED}.dev.test")
    assert len(scene.signer.signed) == before
    scene.desk.ask("b.n0.dev.test")  # the one not asked for the longest was forgotten
    assert len(scene.signer.signed) == before + 1


def test_a_leaf_is_renewed_at_two_thirds_of_its_life():
    scene = Scene()
    scene.desk.know(["a.b.dev.test", "a.gone.dev.test"])  # the second route will be gone by then
    scene.clock.now += 2 * LIFE / 3 - 60
    assert scene.desk.renew() == []
    assert scene.desk.wait() == pytest.approx(60)
    scene.clock.now += 60
    assert [leaf.names for leaf in scene.desk.renew(["x.b.dev.test"])] == [
        wild("dev.test"),
        wild("shop.test"),
        wild("b.dev.test"),
    ]
    assert scene.desk.counts.renewed == 3
    assert {leaf.until for leaf in scene.desk.leaves().leaves} == {scene.clock.now + LIFE}
    assert scene.desk.renew() == []
    assert scene.desk.wait() == LOOK


def test_one_only_asked_for_is_forgotten_when_it_is_due():
    scene = Scene()
    scene.desk.ask("a.b.dev.test")
    scene.clock.now += 2 * LIFE / 3
    assert wild("b.dev.test") not in [leaf.names for leaf in scene.desk.renew()]
    assert scene.desk.ask("a.b.dev.test").until == scene.clock.now + LIFE


def test_a_ca_that_cannot_be_had_refuses_in_its_words():
    scene = Scene()

    def broken():
        raise UsageRefused("the CA cannot be used", "remove it")

    scene.desk._signer = broken
    found = scene.desk.ask("a.b.dev.test")
    assert found == Refused("a.b.dev.test", "the CA cannot be used - remove it")


# A certificate that the user brought.


@pytest.mark.parametrize(
    ("own", "names"),
    [
        (wild("dev.test"), [wild("dev.test"), wild("shop.test")]),
        (("*.dev.test",), [("*.dev.test",), ("dev.test",), wild("shop.test")]),
        (("dev.test",), [("dev.test",), ("*.dev.test",), wild("shop.test")]),
        (("api.dev.test",), [("api.dev.test",), wild("dev.test"), wild("shop.test")]),
        ((*wild("dev.test"), *wild("shop.test")), [(*wild("dev.test"), *wild("shop.test"))]),
    ],
)
def test_it_takes_the_place_of_the_cas_for_the_names_it_covers(own, names):
    assert Scene(own=Files(*own)).names() == names


def test_no_ca_is_needed_where_it_covers_all():
    scene = Scene(Zones(("dev.test",)), Files(*wild("dev.test")))
    assert scene.desk.ask("api.dev.test") == scene.own.now
    assert scene.signer.signed == []
    assert scene.desk.ask("a.b.dev.test").names == ("*.b.dev.test",)


def test_a_name_of_its_own_is_answered_with_it():
    scene = Scene(own=Files("api.dev.test"))
    assert scene.desk.ask("api.dev.test") == scene.own.now
    assert scene.desk.ask("web.dev.test").names == wild("dev.test")


def test_a_start_with_one_that_cannot_be_read_is_refused():
    files = Files("dev.test")
    files.now = UsageRefused("tls.key is not the key of tls.cert")
    with pytest.raises(UsageRefused, match="not the key"):
        Scene(own=files)


def test_a_renewed_one_is_taken_and_a_broken_one_is_not():
    scene = Scene(own=Files("dev.test"))
    scene.own.now = Leaf(wild("dev.test"), "own 2", "key", 2e9)
    assert scene.desk.take(scene.desk.read())
    assert scene.names() == [wild("dev.test"), wild("shop.test")]
    assert not scene.desk.take(scene.desk.read())
    scene.desk.keep("tls.cert is gone")
    assert scene.desk.trouble == "tls.cert is gone"
    assert scene.names()[0] == wild("dev.test")
    scene.desk.take(scene.desk.read())
    assert scene.desk.trouble == ""
