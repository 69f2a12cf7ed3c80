"""Reports come out the same byte for byte, whole, and harmless."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from html.parser import HTMLParser

import pytest

from devdns_bench.drawing.figures import Dots, Line, canvas, dots, drawn, lines
from devdns_bench.drawing.page import Picture, Section, page, write
from devdns_bench.drawing.tables import Table, html, latex

ROWS = (
    Dots("devdns", (0.11, 0.12, 0.14), 0.1, 0.12, 0.15),
    Dots("ports", note="needs a hand"),
    Dots("x", (float("inf"),)),
)
TABLE = Table("restart", "Outage & time_to recover", ("approach", "s"), (("a_b <i>", "1 %"), ("c", "∞")))
DRAW = """
import hashlib
from devdns_bench.drawing.figures import Dots, Line, dots, lines
vectors = dots([Dots("a", (1.0, 2.0), 1, 1.5, 2)], "s", log=True), lines([Line("a", ((1, 2), (10, 3)))], "names", "us")
print(hashlib.sha256(b"".join(vector.svg + vector.pdf for vector in vectors)).hexdigest())
"""


def _sections():
    return [
        Section(
            "Restart: outage", ("Text <b>", Picture("restart-outage", dots(ROWS, "s"), 'It "shows" <this>.'), TABLE)
        )
    ]


@pytest.mark.parametrize(
    "draw",
    [
        lambda: dots(ROWS, "seconds"),
        lambda: dots(ROWS, "seconds", log=True, watermark="SYNTHETIC"),
        lambda: dots([], "seconds"),
        lambda: dots([Dots("all zero", (0.0, 0.0), 0, 0, 0)], "failed requests"),
        lambda: lines([Line("devdns", ((10.0, 1.0), (100.0, 2.0))), Line("dnsmasq", ((10.0, 1.5),))], "names", "us"),
        lambda: lines([], "names", "us"),
    ],
)
def test_a_figure_is_the_same_bytes_each_time_and_a_vector(draw):
    first, second = draw(), draw()
    assert first == second
    assert first.svg.startswith(b"<?xml")
    assert b"<image" not in first.svg
    assert first.pdf.startswith(b"%PDF")
    assert b"CreationDate" not in first.pdf


@pytest.mark.parametrize("values", [(0.1, 0.5, 2.0), (1000.0, 1000.2), (7.0,)])
def test_the_farthest_dot_is_whole(values, monkeypatch):
    seen = []
    monkeypatch.setattr("devdns_bench.drawing.figures.drawn", seen.append)
    dots([Dots("devdns", values), Dots("ports", note="needs a hand")], "s")
    axes = seen[0].axes[0]
    seen[0].draw_without_rendering()
    edge, farthest = (axes.transData.transform((x, 0))[0] for x in (axes.get_xlim()[1], max(values)))
    assert edge - farthest >= 4  # points at 72 to the inch, of a mark of 4 across; here 100 to the inch
    assert axes.get_xlim()[0] == 0


def test_another_process_with_other_hashes_and_settings_draws_the_same(tmp_path):
    (tmp_path / "matplotlibrc").write_text("font.size: 30\nsvg.hashsalt: other\n")

    def digest(seed: str, **more: str) -> str:
        environ = {**os.environ, "PYTHONHASHSEED": seed, **more}
        return subprocess.run(
            [sys.executable, "-c", DRAW], env=environ, capture_output=True, text=True, check=True
        ).stdout

    assert digest("1") == digest("2", MATPLOTLIBRC=str(tmp_path), LC_ALL="C.UTF-8", SOURCE_DATE_EPOCH="1")


def test_drawing_leaves_no_settings_behind():
    import matplotlib as mpl  # noqa: PLC0415 - looked at, not used

    before = dict(mpl.rcParams)
    with canvas(2) as (figure, axes):
        axes.plot([1, 2])
        drawn(figure)
    assert dict(mpl.rcParams) == before


def test_latex_shows_what_was_given():
    text = latex(TABLE)
    assert r"\caption{Outage \& time\_to recover}" in text
    assert r"a\_b \textless{}i\textgreater{} & 1 \% \\" in text
    assert r"\begin{tabular}{lr}" in text
    assert r"c & $\infty$ \\" in text


def test_html_is_escaped():
    assert "a_b &lt;i&gt;" in html(TABLE)
    text = page("<title>", _sections(), mark="made <up>")
    assert "<b>" not in text
    assert "&lt;title&gt;" in text
    assert "It &quot;shows&quot; &lt;this&gt;." in text
    assert '<p class="mark">made &lt;up&gt;</p>' in text


def test_the_page_fetches_nothing_and_is_well_formed():
    class Reader(HTMLParser):
        def __init__(self):
            super().__init__()
            self.links, self.open = [], []

        def handle_starttag(self, tag, attrs):
            self.links += [value for name, value in attrs if name in {"src", "href"}]
            if tag not in {"meta", "img"}:
                self.open.append(tag)

        def handle_endtag(self, tag):
            assert self.open.pop() == tag

    reader = Reader()
    reader.feed(page("Report", _sections()))
    assert not reader.open
    assert {link.partition(":")[0] if link.startswith("data:") else link[0] for link in reader.links} == {"data", "#"}


def test_all_is_written_beside_the_page_and_twice_the_same(tmp_path):
    def digests(folder):
        return {
            path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in write(folder, "Report", _sections())
        }

    first = digests(tmp_path / "a")
    assert set(first) == {"index.html", "restart-outage.svg", "restart-outage.pdf", "restart.tex"}
    assert first == digests(tmp_path / "b")
