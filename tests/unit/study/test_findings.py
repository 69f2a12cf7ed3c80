"""From rows to findings: who counts, what is compared with whom, and what the numbers are."""

import pytest
from support.study_rows import BEST, WORST, synthetic_csv

from devdns_study.analysis.findings import analyse
from devdns_study.responses import Response, Run
from devdns_study.rows import Source
from devdns_study.tables import parse_table

MIDDLE = (3,) * 10


def person(who, first, second, runs=((), ())):
    return [
        Response(who, "devdns", True, True, first, runs=tuple(runs[0])),
        Response(who, "ports", True, True, second, runs=tuple(runs[1])),
    ]


def test_means_grades_and_counts():
    rows = [*person("A", BEST, WORST), *person("B", BEST, MIDDLE), Response("C", "devdns", False, True)]
    found = analyse(Source(rows, withdrawn=("D",)))
    cells = {(each.measure, each.approach): each for each in found.cells}
    assert cells["sus", "devdns"].values == (100, 100)
    assert (cells["sus", "devdns"].grade, cells["sus", "devdns"].adjective) == ("A+", "Best imaginable")
    assert (cells["sus", "ports"].values, cells["sus", "ports"].grade) == ((0, 50), "F")
    assert found.people == {"participants": 4, "agreed": 2, "did not agree": 1, "withdrew": 1}
    assert found.counts["excluded"] == {"no consent": 1}


def test_a_flagged_row_stays_in_and_is_out_of_the_second_table():
    found = analyse(Source([*person("A", BEST, WORST), *person("B", BEST, MIDDLE)]))
    assert [(each.approach, each.values) for each in found.unflagged] == [("devdns", (100, 100)), ("ports", (0,))]


def test_items_are_turned_towards_the_system_and_what_is_missing_is_not_filled_in():
    found = analyse(Source([*person("A", BEST, (None, *WORST[1:])), *person("B", BEST, WORST)]))
    means = {(each.approach, each.item): each.interval for each in found.items}
    assert means["devdns", 1].n == means["devdns", 10].n == 2
    assert means["ports", 1].n == 1
    assert means["devdns", 1].estimate > 2 > means["ports", 2].estimate


def test_comparisons_are_within_people_second_minus_first():
    alone = Response("Z", "ports", True, True, BEST)
    found = analyse(Source([*person("A", BEST, WORST), *person("B", BEST, MIDDLE), alone], ("ports", "devdns")))
    (sus,) = [each for each in found.comparisons if each.measure == "sus"]
    assert (sus.first, sus.second, sus.differences) == ("ports", "devdns", (100, 50))
    assert sus.p == sus.adjusted == 0.5


def test_times_are_compared_over_the_tasks_that_both_passed():
    first = [Run("a", "passed", 10.0), Run("b", "passed", 10.0), Run("c", "passed", 5.0, interrupted=True)]
    second = [Run("a", "passed", 40.0), Run("b", "timeout", 480.0), Run("c", "passed", 50.0)]
    found = analyse(Source([*person("A", BEST, BEST, (first, second)), *person("B", BEST, BEST, (first, second))]))
    (time,) = [each for each in found.comparisons if each.measure == "time"]
    assert time.differences == (pytest.approx(4), pytest.approx(4))
    (done,) = [each for each in found.comparisons if each.measure == "completion"]
    assert done.differences == (pytest.approx(-1 / 3), pytest.approx(-1 / 3))
    tasks = {(each.task, each.approach): each for each in found.tasks}
    assert tasks["b", "ports"].outcomes == {"timeout": 2}
    assert tasks["b", "ports"].time is None
    assert (tasks["c", "devdns"].seconds, tasks["c", "devdns"].completion.estimate) == ((), 1)


def test_holm_is_applied_within_each_family():
    rows = parse_table(synthetic_csv(12, ("devdns", "ports", "hosts")), "s.csv").responses
    found = analyse(Source(rows, ("devdns", "ports", "hosts")))
    for family, size in (("primary", 3), ("secondary", 15)):
        members = sorted((each for each in found.comparisons if each.family == family), key=lambda each: each.p)
        assert len(members) == size
        assert members[0].adjusted == pytest.approx(min(1, members[0].p * size))
        assert [each.adjusted for each in members] == sorted(each.adjusted for each in members)


def test_a_true_difference_is_found_and_none_where_there_is_none():
    def differs(gap):
        rows = parse_table(synthetic_csv(24, gap=gap), "s.csv").responses
        return next(each for each in analyse(Source(rows)).comparisons if each.measure == "sus").differs

    assert differs(0.8)
    assert not differs(0.0)


def test_nobody_met_two():
    found = analyse(Source([Response("A", "devdns", True, True, BEST), Response("B", "ports", True, True, WORST)]))
    assert found.comparisons == ()
    assert found.approaches == ("devdns", "ports")
