"""The pages of a session, from a step and what is known: text in, text out."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from devdns_study import html
from devdns_study.instrument import Approach, Card, Instrument
from devdns_study.session.flow import Step
from devdns_study.sheets import card_text, style

HEAD = '<link rel="stylesheet" href="page.css">\n<script src="page.js" defer></script>'
THANKS = "Thank you. The session is over, and this page may be closed."
DECLINED = "You chose not to take part. Nothing else was recorded. Thank you for your time."
REMOVED = "All your answers have been removed. Thank you for your time."


def form_page(step: Step, form: Instrument, progress: str, given: Mapping[str, str], notes: Mapping[str, str]) -> str:
    """A sheet or a questionnaire; with notes it says first what is open, with links to it."""
    again = '<input type="hidden" name="again" value="yes">' if notes else ""
    main = _posting("next", step, html.body(form, given, notes) + again + _button("Continue"))
    return _page(form.title, progress, _summary(form, notes) + main)


def brief_page(step: Step, way: Approach, progress: str) -> str:
    """What a participant is told about an approach before its tasks."""
    main = html.paragraphs(way.paragraphs) + _posting("next", step, _button("Continue"))
    return _page(f"Now with: {way.label}", progress, main)


def card_page(step: Step, found: Card, way: Approach, progress: str, *, stopped: bool) -> str:
    """A task before it runs. `stopped`: it ran already, when the session was interrupted."""
    lead = "The session was interrupted during this task. Your files are as you left them; the clock stood still."
    main = (f'<p class="note">{lead}</p>\n' if stopped else "") + card_text(found)
    main += html.paragraphs(["The clock runs from when you press the button. Setting up takes a few seconds."])
    return _page(found.title, progress, main + _posting("start", step, _button("Go on" if stopped else "Start")), way)


def task_page(step: Step, found: Card, way: Approach, progress: str, shell: str) -> str:
    """A task that runs: the card, what to type, and the two ways to end it."""
    typed = f"<h2>Type in a terminal</h2>\n<pre>{escape(shell)}</pre>\n" + html.paragraphs(way.paragraphs)
    ends = _button("Done", "done", "action") + _button("Give up", "give-up", "action", second=True)
    return _page(found.title, progress, _posting("finish", step, typed + card_text(found) + ends, wait=True), way)


def withdraw_page() -> str:
    """Asks before everything is removed."""
    main = html.paragraphs(["This removes all your answers at once and ends the session. It cannot be undone."])
    main += '<form method="post" action="withdraw">' + _button("Remove my answers", "yes", "sure") + "</form>\n"
    return html.document("Stop and withdraw", main + '<p><a href="./">Back to the session</a></p>\n', head=HEAD)


def end_page(text: str) -> str:
    """The last page; it carries its own style, since the server ends with it."""
    return html.document("The end", html.paragraphs([text]), head=f"<style>\n{style()}</style>")


def problem_page(text: str) -> str:
    """What went wrong on the machine, for the researcher who is called."""
    main = html.paragraphs(["Please call the researcher. Nothing that you answered is lost.", text])
    return html.document("Something failed", main + '<p><a href="./">Try again</a></p>\n', head=HEAD)


def _page(title: str, progress: str, main: str, way: Approach | None = None) -> str:
    where = progress + (f", with {way.label}" if way else "")
    foot = (
        '<footer class="screen"><p id="saved" role="status"></p>'
        '<p><a href="withdraw">Stop and withdraw</a>: removes all your answers</p></footer>\n'
    )
    return html.document(title, f'<p class="progress">{escape(where)}</p>\n{main}', head=HEAD, foot=foot)


def _posting(action: str, step: Step, inner: str, *, wait: bool = False) -> str:
    """A form for one step; `wait` lets the script look whether the step is over by itself."""
    key = escape(step.key)
    watch = ' data-wait="yes"' if wait else ""
    return (
        f'<form method="post" action="{action}" data-step="{key}"{watch} novalidate autocomplete="off">\n'
        f'<input type="hidden" name="step" value="{key}">\n{inner}</form>\n'
    )


def _button(text: str, value: str = "", name: str = "", *, second: bool = False) -> str:
    what = f' name="{name}" value="{value}"' if name else ""
    return f'<button type="submit"{what}{" class=second" if second else ""}>{escape(text)}</button>\n'


def _summary(form: Instrument, notes: Mapping[str, str]) -> str:
    if not notes:
        return ""
    links = "".join(
        f'<li><a href="#{escape(item.id)}">{escape(item.text)}</a>: {escape(notes[item.id])}</li>\n'
        for item in form.items
        if item.id in notes
    )
    return f'<div role="alert" class="note" tabindex="-1" autofocus><h2>Still open</h2>\n<ul>\n{links}</ul></div>\n'
