"""Instruments as HTML: the same markup on screen and on paper, which works without script. Everything from data is escaped.

A group of answers is a fieldset whose legend is the question; ends of a scale are part of the names of its first and last
point, so that a screen reader says them too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from devdns_study.instrument import Instrument, Item

NOTE = "This question is not answered yet. Answer it, or press Continue again to leave it out."
NEEDED = "Please answer this question."


def paragraphs(texts: Sequence[str]) -> str:
    """Plain paragraphs."""
    return "".join(f"<p>{escape(text)}</p>\n" for text in texts)


def body(form: Instrument, given: Mapping[str, str] | None = None, notes: Mapping[str, str] | None = None) -> str:
    """The sections and questions of an instrument; `given` are answers, `notes` what is said beside an item."""
    given, notes = given or {}, notes or {}
    texts = "".join(
        (f"<h2>{escape(section.heading)}</h2>\n" if section.heading else "") + paragraphs(section.paragraphs)
        for section in form.sections
    )
    asked = [question(item, given.get(item.id, ""), notes.get(item.id, "")) for item in form.items]
    return texts + "".join(asked)


def question(item: Item, answer: str = "", note: str = "") -> str:
    """One question with its answer marked."""
    name, said = escape(item.id), f'<p class="note" id="{escape(item.id)}-note">{escape(note)}</p>' if note else ""
    if item.kind == "text":
        about = f' aria-describedby="{name}-note"' if note else ""
        return (
            f'<div class="item"><label for="{name}">{escape(item.text)}</label>{said}'
            f'<textarea id="{name}" name="{name}" rows="4" maxlength="4000"{about}>{escape(answer)}</textarea></div>\n'
        )
    points = "".join(_point(item, place, answer) for place in range(len(item.values)))
    ends = f'<p class="ends" aria-hidden="true"><span>{escape(item.left)}</span><span>{escape(item.right)}</span></p>'
    about = f' aria-describedby="{name}-note"' if note else ""
    look = f"item {item.kind}" + (" long" if len(item.values) > 10 else "")
    return (
        f'<fieldset class="{look}" id="{name}"{about}><legend>{escape(item.text)}</legend>{said}'
        f'{ends if item.kind == "scale" else ""}<div class="points">{points}</div></fieldset>\n'
    )


def _point(item: Item, place: int, answer: str) -> str:
    value = item.values[place]
    key = escape(f"{item.id}-{value}")
    many = item.kind == "ticks"
    marked = " checked" if value in (answer.split(",") if many else [answer]) else ""
    shape = "checkbox" if many else "radio"
    return (
        f'<span class="point"><input type="{shape}" id="{key}" name="{escape(item.id)}" value="{escape(value)}"{marked}>'
        f'<label for="{key}">{_label(item, place)}</label></span>'
    )


def _label(item: Item, place: int) -> str:
    if item.kind != "scale":
        return escape(item.options[place][1])
    end = item.left if place == 0 else item.right if place == len(item.values) - 1 else ""
    return escape(item.values[place]) + (f'<span class="said">, {escape(end)}</span>' if end else "")


def document(title: str, main: str, *, head: str, foot: str = "", study: str = "Usability study") -> str:
    """A whole page; `head` holds the links to style and script, `foot` stands below the main part."""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)} - {escape(study)}</title>\n{head}\n</head>\n<body>\n"
        '<a class="skip" href="#main">Skip to the content</a>\n'
        f'<main id="main" tabindex="-1">\n<h1>{escape(title)}</h1>\n{main}</main>\n{foot}</body>\n</html>\n'
    )
