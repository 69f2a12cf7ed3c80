"""What several parts told is one set of figures, and no counter of it ever falls."""

from devdns.control.told import MOST_ENDED, MOST_KEPT, Told
from devdns.core.figures import Family, Sample
from devdns.core.frames import Figures

ASKED = "devdns_http_requests_total"


def figures(life, count, open_now=1, route="api", part="proxy"):
    asked = Sample(count, (("route", route), ("status", "200")))
    return Figures(
        part,
        (
            Family(ASKED, "counter", "Asked.", (asked,)),
            Family("devdns_http_in_flight", "gauge", "Now.", (Sample(open_now),)),
            Family("devdns_http_seconds", "histogram", "Took.", (Sample(count, (("le", "+Inf"),), "_bucket"),)),
        ),
        life,
    )


def told_by(told):
    """Name -> sum over its samples, with each family there once."""
    families = told.families()
    assert len({family.name for family in families}) == len(families)
    return {family.name: sum(sample.value for sample in family.samples) for family in families}


def test_several_workers_are_added_up():
    told = Told()
    told.hear("one", figures("a", 5))
    told.hear("two", figures("b", 7, open_now=2))
    told.hear("one", figures("a", 6))
    assert told_by(told) == {ASKED: 13, "devdns_http_in_flight": 3, "devdns_http_seconds": 13}


def test_samples_with_other_labels_stay_apart():
    told = Told()
    told.hear("one", figures("a", 5))
    told.hear("two", figures("b", 7, route="web"))
    (asked,) = [family for family in told.families() if family.name == ASKED]
    assert {sample.labels[0][1]: sample.value for sample in asked.samples} == {"api": 5, "web": 7}


def test_what_an_ended_worker_counted_stays_and_what_it_held_goes():
    told = Told()
    told.hear("one", figures("a", 5))
    told.leave("one")
    assert told_by(told) == {ASKED: 5, "devdns_http_seconds": 5}
    told.hear("two", figures("b", 1))
    assert told_by(told) == {ASKED: 6, "devdns_http_in_flight": 1, "devdns_http_seconds": 6}


def test_a_worker_that_only_lost_its_connection_is_not_counted_twice():
    told = Told()
    told.hear("one", figures("a", 5))
    told.leave("one")
    told.hear("two", figures("a", 6))
    assert told_by(told)[ASKED] == 6
    told.leave("stranger")
    assert told_by(told)[ASKED] == 6


def test_many_ends_keep_their_sum_and_no_more_than_that():
    told = Told()
    for number in range(MOST_ENDED * 3):
        told.hear(number, figures(f"life-{number}", 2))
        told.leave(number)
    assert told_by(told)[ASKED] == MOST_ENDED * 6
    assert len(told._ended) == MOST_ENDED


def test_ends_with_ever_new_names_do_not_grow_for_ever():
    told = Told()
    wide = 1_000
    for number in range(MOST_KEPT // wide + MOST_ENDED + 20):
        rows = tuple(Sample(1, (("route", f"r{number}-{row}"),)) for row in range(wide))
        told.hear(number, Figures("proxy", (Family(ASKED, "counter", "Asked.", rows),), f"life-{number}"))
        told.leave(number)
    assert told_by(told)[ASKED] == MOST_KEPT + MOST_ENDED * wide


def test_families_of_one_name_and_two_kinds_are_not_mixed():
    told = Told()
    told.hear("one", Figures("proxy", (Family("devdns_x", "gauge", "x", (Sample(1),)),), "a"))
    told.hear("two", Figures("proxy", (Family("devdns_x", "counter", "x", (Sample(9),)),), "b"))
    (family,) = told.families()
    assert (family.kind, family.samples) == ("gauge", (Sample(1),))
