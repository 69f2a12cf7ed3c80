"""The commands of the study as a researcher types them."""

import json

import pytest
from support.cli import run
from support.study_rows import BEST, WORST, csv_text
from support.study_session import PARAMETERS, planned

from devdns_study.plan import Plan
from devdns_study.store import Store

MESSY = csv_text(
    ("P01", "devdns", "true", BEST), ("P02", "devdns", "perhaps", (9, *BEST[1:])), ("Jo", "d e", "true", BEST)
)


def test_a_messy_table_is_refused_whole_each_bad_cell_named(tmp_path):
    (tmp_path / "good.csv").write_text(csv_text(("P00", "devdns", "true", WORST)))
    (tmp_path / "messy.csv").write_text(MESSY)
    assert run("study", "import", "good.csv", cwd=tmp_path).out == "1 rows taken into study.sqlite\n"
    before = run("study", "score", "study.sqlite", cwd=tmp_path).out
    done = run("study", "import", "messy.csv", cwd=tmp_path)
    assert (done.code, done.out) == (2, "")
    assert done.err.splitlines() == [
        "devdns: messy.csv: row 3, column consent: 'perhaps' is neither true nor false",
        "devdns: messy.csv: row 3, column sus1: '9' is not a whole number from 1 to 5",
        "devdns: messy.csv: row 4, column approach: 'd e' is not a name of letters, digits, - and _ (at most 32)",
    ]
    assert run("study", "score", "study.sqlite", cwd=tmp_path).out == before


def test_scores_as_json(tmp_path):
    rows = [("A", "devdns", "true", (3,) * 10), ("B", "devdns", "true", BEST), ("C", "devdns", "true", WORST)]
    rows += [("D", "devdns", "true", (5,) * 10), ("E", "devdns", "false", BEST)]
    (tmp_path / "rows.csv").write_text(csv_text(*rows))
    scores = json.loads(run("study", "score", "rows.csv", "--json", cwd=tmp_path).out)
    assert [(row["participant"], row["sus"], row["flags"]) for row in scores["participants"]] == [
        ("A", 50, ["straight-lining"]),
        ("B", 100, []),
        ("C", 0, []),
        ("D", 50, ["straight-lining"]),
    ]
    assert scores["counts"]["excluded"] == {"no consent": 1}


def test_a_plan_is_fixed_once_but_its_words_may_follow(tmp_path):
    (tmp_path / "study.toml").write_text(PARAMETERS)
    first = json.loads(run("study", "plan", "--participants", 4, "--seed", 3, "--json", cwd=tmp_path).out)
    worded = run("study", "plan", "--parameters", "study.toml", "--json", cwd=tmp_path)
    again = json.loads(run("study", "plan", "--json", cwd=tmp_path).out)
    assert json.loads(worded.out) == again
    assert (again["assignments"], again["seed"]) == (first["assignments"], 3)
    assert (first["parameters"], again["parameters"]["contact"]) == ({}, "study@example.org")
    for change in (["--seed", 4], ["--participants", 6], ["--approaches", "ports,devdns"], ["--tasks", "clash"]):
        done = run("study", "plan", *change, cwd=tmp_path)
        assert (done.code, done.error) == (2, "'study.sqlite' has another plan already - give another --data FILE")
    with Store.opened(tmp_path / "study.sqlite") as store:
        store.begin("P01", "session")
    (tmp_path / "study.toml").write_text(PARAMETERS.replace("60", "90"))
    assert run("study", "plan", "--parameters", "study.toml", cwd=tmp_path).code == 2


@pytest.mark.parametrize(
    ("flags", "error"),
    [
        (["--participants", 5], "5 participants are not balanced - give a multiple of 2"),
        (["--approaches", "devdns,magic"], "no approach 'magic' - there are devdns, ports, hosts, nginx"),
        (["--tasks", "clash,nap"], "no task 'nap' - there are bring-up, port-changed, restarted, clash, no-answer"),
        (["--tasks", "clash,clash"], "--tasks 'clash,clash' names one twice"),
        (["--parameters", "none.toml"], "parameters 'none.toml' cannot be read: [Errno 2] No such file or directory: 'none.toml'"),
        (["--parameters", "few.toml"], "few.toml does not say retention (how long answers are kept, such as 5 years)"),
        (["--parameters", "more.toml"], "more.toml says colour, which no sheet has"),
        (["--sheets", "out"], "information needs the word 'researcher' - give it in a file: devdns study plan --parameters FILE"),
    ],
)  # fmt: skip
def test_a_plan_that_cannot_be_is_not_kept(tmp_path, flags, error):
    (tmp_path / "few.toml").write_text(PARAMETERS.replace("retention", "# retention"))
    (tmp_path / "more.toml").write_text(PARAMETERS + "colour = 1")
    done = run("study", "plan", *flags, cwd=tmp_path)
    assert (done.code, done.error) == (2, error)
    with Store.opened(tmp_path / "study.sqlite", create=True) as store:
        assert store.plan() is None


def test_a_plan_is_what_was_asked_for(tmp_path):
    data = planned(tmp_path, approaches="devdns,hosts", tasks="clash", participants=2)
    with Store.opened(data) as store:
        plan = store.plan()
    assert plan == Plan(1, ("devdns", "hosts"), ("clash",), 2, plan.parameters)
    assert dict(plan.parameters)["minutes"] == "60"
