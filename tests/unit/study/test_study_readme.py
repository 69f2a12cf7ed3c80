"""What the study's pages say is what the code does: the transcript runs, the tables are the code's own."""

import os
import re
import sys
import tomllib
from pathlib import Path
from textwrap import dedent

import pytest
from support.source import ROOT
from support.study_rows import csv_text
from support.transcripts import blocks, run, steps

from devdns_study.analysis.rules import RULES
from devdns_study.columns import COLUMNS, TASK_PARTS
from devdns_study.instrument import APPROACHES, PARAMETERS, TASKS, card
from devdns_study.power import power
from devdns_study.responses import Response
from devdns_study.scores import score_all
from devdns_study.sus import MOST_MISSING

README = re.sub(r"^   ", "", (ROOT / "study" / "README.md").read_text(), flags=re.MULTILINE)
PROTOCOL = (ROOT / "study" / "protocol.md").read_text()
PAPER = csv_text(("P03", "devdns", "yes", (4, 2, 5, 1, 4, 2, 4, 2, 5, 2)), ("P03", "ports", "yes", (3,) * 10))


def test_the_transcript_is_true(tmp_path):
    (text,) = [text for _, text in blocks(README, "toml")]
    (tmp_path / "study.toml").write_text(text)
    (tmp_path / "paper.csv").write_text(PAPER)
    environ = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "HOME": str(tmp_path)}
    found = steps(README)
    assert len(found) == 4
    wrong = [difference for step in found if (difference := run(step, (), tmp_path, environ))]
    assert not wrong, "\n\n".join(wrong)


def test_the_example_says_every_word_of_the_sheets():
    (text,) = [text for _, text in blocks(README, "toml")]
    assert tomllib.loads(text).keys() == PARAMETERS.keys()


@pytest.mark.parametrize("name", [*COLUMNS, *(f"TASK_{part}" for part in TASK_PARTS)])
def test_every_column_is_in_the_table_as_the_code_has_it(name):
    column = COLUMNS.get(name) or TASK_PARTS[name.removeprefix("TASK_")]
    said = "`sus1` to `sus10`" if name.startswith("sus") else f"`{name}`"
    row = next(line for line in README.splitlines() if line.startswith("| `") and said in line.split("|")[1])
    cells = [cell.strip() for cell in row.split("|")[2:4]]
    assert cells == ["yes" if column.needed else "", column.doc]


def test_the_shape_of_the_scores_is_documented():
    scores = score_all([Response("P", "devdns", True, sus=(3,) * 10), Response("Q", "devdns", False)])
    for key in scores.keys() - {"version"}:
        row = next(line for line in README.splitlines() if line.startswith(f"| `{key}`"))
        inner = scores[key][0] if isinstance(scores[key], list) else scores[key]
        assert all(f"`{name}`" in row for name in inner), key


@pytest.mark.parametrize("name", [*APPROACHES, *TASKS])
def test_every_approach_and_task_is_documented(name):
    assert f"`{name}`" in README
    if name in TASKS:
        assert (
            "Docker Engine" in next(line for line in README.splitlines() if line.startswith(f"| `{name}`"))
        ) == bool(card(name).needs)


@pytest.mark.parametrize(("people", "difference"), [(12, 5.0), (26, 10.0), (30, 12.5)])
def test_the_power_in_the_protocol_is_what_the_code_gives(people, difference):
    heads, *rows = [line for line in PROTOCOL.splitlines() if re.match(r"\| (?:participants|\d+) \|", line)]
    place = [cell.strip() for cell in heads.split("|")].index(f"{difference:g}")
    row = next(row for row in rows if row.startswith(f"| {people} |"))
    assert row.split("|")[place].strip() == f"{power(people, difference, 1):.2f}"


def test_the_protocol_has_every_part_and_the_rules_of_the_report():
    for part in ("hypotheses", "Counterbalancing", "sample size", "Exclusion", "Analysis plan", "Ethics", "Threats"):
        assert part in PROTOCOL, part
    assert f"up to {MOST_MISSING} of 10 missing items" in PROTOCOL
    for word in ("Holm", "adjusted Wald", "studentised bootstrap", "BCa", "Bayesian", "Hedges"):
        assert word in PROTOCOL, word
        assert word in dedent("".join(RULES)), word
