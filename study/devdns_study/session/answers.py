"""What a form posts into answers: only what the instrument asks, only what may be said; and what is still open."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from devdns_study import html
from devdns_study.instrument import Instrument, Item

LONGEST = 4000  # characters of a free text
YES = "yes"


class Unheard(ValueError):
    """An answer that the form cannot have sent."""


def answer_of(item: Item, values: Sequence[str]) -> str:
    """The answer as it is stored, empty when there is none; raises `Unheard` for what is not among the options."""
    if item.kind == "text":
        return values[0].strip()[:LONGEST] if values else ""
    if any(value not in item.values for value in values) or (len(values) > 1 and item.kind != "ticks"):
        raise Unheard(f"{item.id} cannot be {', '.join(values)!r:.80}")
    return ",".join(value for value in item.values if value in values)


def open_items(form: Instrument, given: Mapping[str, str], *, asked_before: bool) -> dict[str, str]:
    """Item -> what is said beside it: what must be answered, and once what is not answered though it may be left out."""
    notes = {item.id: html.NEEDED for item in form.items if item.required and not given.get(item.id)}
    if form.name == "consent" and given.get("consent") == YES:
        notes |= {
            item.id: "To take part, please tick all of these."
            for item in form.items
            if item.kind == "ticks" and given.get(item.id) != ",".join(item.values)
        }
    if not asked_before:
        left_out = (item for item in form.items if item.kind == "scale" and not given.get(item.id))
        notes |= {item.id: html.NOTE for item in left_out}
    return notes
