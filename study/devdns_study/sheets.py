"""Every instrument as a page to print: for sessions on paper, for the ethics board, for the appendix."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from importlib.resources import files
from pathlib import Path

from devdns_study import html
from devdns_study.instrument import FORMS, Card, approach, card, instrument
from devdns_study.plan import Plan

BLANK = "________"  # filled in by hand


def words_of(plan: Plan, participant: str, approach_name: str = "", task: str = "task") -> dict[str, str]:
    """The words that fill the sheets for one participant and approach."""
    labels = [approach(name).label for name in plan.approaches]
    return {
        **dict(plan.parameters),
        "participant": participant,
        "approach": approach(approach_name).label if approach_name else BLANK,
        "approaches": ", ".join(labels),
        "order": ",".join(plan.approaches),
        "count": str(len(labels)),
        "tasks": str(len(plan.tasks)),
        "task": task,
    }


def write_sheets(plan: Plan, folder: Path) -> list[Path]:
    """Writes `NAME.html` for each instrument, `task-NAME.html` for each card and each approach's `approach-NAME.html`."""
    folder.mkdir(parents=True, exist_ok=True)
    return [_write(folder / f"{name}.html", title, text) for name, title, text in _sheets(plan)]


def _sheets(plan: Plan) -> Iterator[tuple[str, str, str]]:
    words = words_of(plan, BLANK)
    for name in (*FORMS, "script"):
        form = instrument(name, words)
        yield name, form.title, f"<p>Participant: {BLANK}</p>\n{html.body(form)}"
    for task in plan.tasks:
        found = card(task)
        yield f"task-{task}", found.title, card_text(found)
    for name in plan.approaches:
        way = approach(name)
        yield f"approach-{name}", f"The approach: {way.label}", html.paragraphs(way.paragraphs)


def card_text(found: Card) -> str:
    """A task card: where it starts, what is to be reached, how long it may take."""
    rows = (("Start", found.start), ("Your task", found.goal), ("Time", f"at most {found.limit / 60:.0f} minutes"))
    text = "".join(f"<h2>{escape(heading)}</h2>\n<p>{escape(said)}</p>\n" for heading, said in rows)
    return text + (html.question(found.question) if found.question else "")


def style() -> str:
    """The style of screen and paper."""
    return files("devdns_study").joinpath("session/page.css").read_text("utf-8")


def _write(path: Path, title: str, main: str) -> Path:
    path.write_text(html.document(title, main, head=f"<style>\n{style()}</style>"), "utf-8")
    return path
