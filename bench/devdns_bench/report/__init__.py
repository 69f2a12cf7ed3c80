"""The report: one page, its figures and tables, from the rows of a folder and nothing else. The same rows give the same bytes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from devdns_bench.approaches import APPROACHES
from devdns_bench.drawing.page import Picture, Section
from devdns_bench.drawing.page import write as write_page
from devdns_bench.drawing.tables import Table
from devdns_bench.environment import Session
from devdns_bench.plan import cell_key
from devdns_bench.report import figures
from devdns_bench.report.limits import LIMITS
from devdns_bench.report.samples import AT_ONCE, Cell, View, cells, worded
from devdns_bench.results import Row, rows, sessions
from devdns_bench.scenarios import SCENARIOS

TITLE = "devdns and its alternatives, measured"


def write(folder: Path, reaction: float) -> Path:
    """Makes FOLDER/report; `reaction`: the operator's, in seconds. Returns the page."""
    every = cells([*rows(folder)])
    late = View(reaction, f", hand after {reaction:g} s")
    known = sessions(folder)
    parts = [Section("What was measured", _machine(known, every)), *_scenarios(every, late)]
    parts += [Section("Cells without a figure", _gaps(every)), Section("Limits and threats to validity", LIMITS)]
    return write_page(folder / "report", TITLE, parts)[0]


def _scenarios(every: Sequence[Cell], late: View) -> list[Section]:
    found = []
    for name, scenario in SCENARIOS.items():
        own = [cell for cell in every if cell.scenario == name]
        if own:
            found.append(Section(f"{scenario.title} ({name})", (scenario.question, *_filled(own, late))))
    return found


def _filled(own: Sequence[Cell], late: View) -> list[str | Picture | Table]:
    """The tables of every cell, then the pictures: over the cells where they are numbers, else cell by cell."""
    parts: list[str | Picture | Table] = []
    for cell in own:
        views = [AT_ONCE, late] if cell.hands else [AT_ONCE]
        parts += [figures.table(cell, views), *figures.comparisons(cell)]
        if not figures.numeric(own):
            parts += [picture for view in views for picture in figures.pictures(cell, view)]
    return [*parts, *(figures.curves(own) if figures.numeric(own) else [])]


def _machine(known: Sequence[Session], every: Sequence[Cell]) -> tuple[str | Table, ...]:
    facts = [
        Table(
            "sessions",
            "The machine and the commands",
            (
                "session",
                "command",
                "seed",
                "CPU",
                "cores",
                "memory",
                "kernel",
                "system",
                "Python",
                "devdns",
                "load before",
            ),
            tuple(_session(each) for each in known),
        ),
        Table(
            "approaches",
            "The approaches and their versions",
            ("approach", "programs", "runs"),
            tuple(_approaches(every)),
        ),
    ]
    return (
        "Every figure on this page comes from the rows beside it; it can be made again with devdns bench report.",
        *facts,
    )


def _session(each: Session) -> tuple[str, ...]:
    gib = f"{each.memory / (1 << 30):.1f} GiB"
    version = f"{each.devdns} {each.git[:12]}{'+' if each.git.endswith('+') else ''}".strip()
    load = " ".join(f"{value:.2f}" for value in each.load)
    words = " ".join(each.argv)
    return (
        each.session,
        words,
        str(each.seed),
        each.cpu,
        str(each.cores),
        gib,
        each.kernel,
        each.system,
        each.python,
        version,
        load,
    )


def _approaches(every: Sequence[Cell]) -> list[tuple[str, ...]]:
    """Each approach: its version, or why it was left out; never a blank."""
    own: dict[str, list[Row]] = {
        name: [row for cell in every for row in cell.rows if row.approach == name] for name in APPROACHES
    }
    return [
        (APPROACHES[name].title, _versions(name, found), str(sum(row.outcome == "measured" for row in found)))
        for name, found in own.items()
    ]


def _versions(name: str, found: Sequence[Row]) -> str:
    programs = APPROACHES[name].programs
    seen = {program: row.versions[program] for row in found for program in programs if program in row.versions}
    if seen or (not programs and found):
        return (
            ", ".join(f"{program} {version or 'of unknown version'}" for program, version in seen.items())
            or "nothing to install"
        )
    return next((f"left out: {row.reason}" for row in found if row.reason), "not asked for")


def _gaps(every: Sequence[Cell]) -> tuple[str | Table, ...]:
    """Each cell that has no figure, and why; what was not asked for at all is told too."""
    made = {(cell.scenario, cell.key) for cell in every}
    left = [
        (name, worded(parameters) or "all", "all", "not asked for")
        for name, scenario in SCENARIOS.items()
        for parameters in scenario.cells
        if (name, cell_key(parameters)) not in made
    ]
    missing = [
        (SCENARIOS[cell.scenario].name, cell.words or "all", sample.title, sample.reason)
        for cell in every
        for sample in figures.empty(cell)
    ]
    if not left and not missing:
        return ("Every approach has a figure in every cell.",)
    return (Table("gaps", "Why a cell has no figure", ("scenario", "cell", "approach", "reason"), (*missing, *left)),)
