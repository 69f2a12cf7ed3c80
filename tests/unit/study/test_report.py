"""The report as files: the same bytes everywhere, synthetic rows refused or marked, nothing fetched, everything escaped."""

import os
import re
import subprocess
import sys

import msgspec
import pytest
from support.cli import run
from support.source import ROOT
from support.study_rows import BEST, WORST, csv_text, synthetic_csv

from devdns.cli.main import main
from devdns_study.analysis.findings import Findings

PEOPLE = 12


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    path = tmp_path_factory.mktemp("rows") / "synthetic.csv"
    path.write_text(synthetic_csv(PEOPLE))
    return path


@pytest.fixture(scope="module")
def report(rows):
    out = rows.parent / "report"
    assert main(["study", "report", str(rows), "--out", str(out), "--synthetic"]) == 0
    return out


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_same_bytes_on_another_run(rows, report):
    out = rows.parent / "again"
    environ = {**os.environ, "PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo", "LC_ALL": "C", "SOURCE_DATE_EPOCH": "1"}
    words = [sys.executable, "-m", "devdns.cli.main", "study", "report", str(rows), "--out", str(out), "--synthetic"]
    subprocess.run(words, env=environ, check=True, capture_output=True)
    assert contents(out) == contents(report)


def test_synthetic_rows_are_refused_unless_asked_for(rows, capsys):
    assert main(["study", "report", str(rows), "--out", str(rows.parent / "none")]) == 2
    assert capsys.readouterr().err == "devdns: 24 of 24 rows are synthetic - --synthetic reports them, marked as such\n"
    assert not (rows.parent / "none").exists()


def test_every_figure_and_every_caption_is_marked(report):
    figures = sorted(path.stem for path in report.glob("*.svg"))
    assert figures == ["completion", "seq", "sus", "sus-items", "times", "tlx", "umux_lite"]
    for name in figures:
        assert "<!-- SYNTHETIC DATA -->" in (report / f"{name}.svg").read_text(), name
        assert (report / f"{name}.pdf").read_bytes().startswith(b"%PDF")
    page = (report / "index.html").read_text()
    assert "Nothing here is a result" in page
    captions = re.findall(r"<(?:fig)?caption>(.*?)</", page)
    assert captions
    assert all(caption.startswith("[SYNTHETIC DATA]") for caption in captions)
    for table in report.glob("*.tex"):
        assert r"\caption{[SYNTHETIC DATA]" in table.read_text()


def test_rows_of_people_carry_no_mark(rows, tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text(
        synthetic_csv(3).replace(",true,passed", ",false,passed").replace(",true,timeout", ",false,timeout")
    )
    assert main(["study", "report", str(path), "--out", str(tmp_path / "report")]) == 0
    assert not [name for name, content in contents(tmp_path / "report").items() if b"SYNTHETIC" in content]


def test_the_page_needs_nothing_else_and_says_how_it_was_made(report):
    page = (report / "index.html").read_text()
    assert not re.search(r'(?:src|href)="(?!data:|#)', page)
    for word in ("adjusted Wald", "Holm", "straight-lining", "studentised bootstrap", "curved grading scale", "Hedges"):
        assert word in page, word


def test_the_findings_hold_every_value(report):
    found = msgspec.json.decode((report / "findings.json").read_bytes(), type=Findings)
    assert {len(each.values) for each in found.cells} == {PEOPLE}
    assert len(found.items) == 20
    assert {each.family for each in found.comparisons} == {"primary", "secondary"}


def test_few_rows_and_hostile_names_make_a_report_too(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text(csv_text(("P01", "a_b", "true", BEST), ("P02", "dev-dns", "false", BEST)))
    assert main(["study", "report", str(path), "--out", str(tmp_path / "report")]) == 0
    assert r"a\_b & 1 &" in (tmp_path / "report" / "sus.tex").read_text()
    assert "Nothing is compared within people" in (tmp_path / "report" / "index.html").read_text()


def test_one_person_with_two_approaches_is_not_said_to_have_met_one(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text(csv_text(("P01", "devdns", "true", BEST), ("P01", "ports", "true", WORST)))
    assert main(["study", "report", str(path), "--out", str(tmp_path / "report")]) == 0
    page = (tmp_path / "report" / "index.html").read_text()
    assert "that needs two people at least who answered with the same two approaches" in page
    assert "Nobody" not in page


def test_nobody_agreed(tmp_path, capsys):
    path = tmp_path / "rows.csv"
    path.write_text(csv_text(("P01", "devdns", "false", BEST)))
    assert main(["study", "report", str(path), "--out", str(tmp_path / "report")]) == 2
    assert capsys.readouterr().err == "devdns: there is no row with consent to report\n"


@pytest.mark.parametrize("arguments", [["report", "{rows}"], ["plan", "--power"]])
def test_without_the_extra_one_line_says_how_to_install_it(rows, tmp_path, arguments):
    (tmp_path / "numpy.py").write_text("raise ModuleNotFoundError(\"No module named 'numpy'\", name='numpy')\n")
    words = [word.format(rows=rows) for word in arguments]
    done = run("study", *words, cwd=tmp_path, PYTHONPATH=tmp_path)
    assert done.code == 1
    assert done.error.endswith(f"needs numpy - {sys.executable} -m pip install -e '{ROOT}[study]'")


def test_scores_and_imports_need_no_extra(rows, tmp_path):
    (tmp_path / "numpy.py").write_text("raise ModuleNotFoundError(\"No module named 'numpy'\", name='numpy')\n")
    assert run("study", "score", rows, cwd=tmp_path, PYTHONPATH=tmp_path).code == 0
    assert run("study", "import", rows, cwd=tmp_path, PYTHONPATH=tmp_path).code == 0
    assert run("study", "score", "study.sqlite", cwd=tmp_path, PYTHONPATH=tmp_path).out.endswith(
        "24 of 24 rows scored, 24 synthetic\n"
    )
