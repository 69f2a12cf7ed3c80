"""Reads the instruments, and fills in a study's words. An `Instrument` is what a page or a printed sheet shows, in order."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from string import Template
from typing import Any, Literal, cast

from devdns_study.errors import StudyRefused

FORMS = ("information", "consent", "demographics", "sus", "umux-lite", "nasa-tlx", "seq", "debrief")
TASKS = ("bring-up", "port-changed", "restarted", "clash", "no-answer")
APPROACHES = ("devdns", "ports", "hosts", "nginx")
#: What every study says about itself in the sheets, and what each word stands for.
PARAMETERS = {
    "institution": "the university or company",
    "researcher": "who runs the study",
    "contact": "address for questions and withdrawals",
    "ethics": "the board that approved it, with the reference",
    "retention": "how long answers are kept, such as 5 years",
    "withdraw_by": "until when answers can be withdrawn, such as 1 June 2027",
    "minutes": "how long a session takes, such as 60",
}
Kind = Literal["scale", "choice", "ticks", "text"]


@dataclass(frozen=True, slots=True)
class Item:
    """One question. A scale runs from `low` to `high` in steps; a choice or ticks have options (value, label)."""

    id: str
    text: str
    kind: Kind
    low: int = 0
    high: int = 0
    step: int = 1
    left: str = ""
    right: str = ""
    options: tuple[tuple[str, str], ...] = ()
    required: bool = False

    @property
    def values(self) -> tuple[str, ...]:
        """What an answer may be; empty for a text."""
        if self.kind == "scale":
            return tuple(str(value) for value in range(self.low, self.high + 1, self.step))
        return tuple(value for value, _ in self.options)


@dataclass(frozen=True, slots=True)
class Section:
    """A heading, empty for what stands first, and its paragraphs."""

    heading: str
    paragraphs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Instrument:
    """A sheet or a form; a sheet has no items."""

    name: str
    title: str
    sections: tuple[Section, ...]
    items: tuple[Item, ...] = ()


@dataclass(frozen=True, slots=True)
class Card:
    """A task: its start state, its goal, the check, the limit in seconds, what it needs, and a question where one is asked."""

    name: str
    title: str
    start: str
    goal: str
    success: str
    limit: float
    needs: str = ""
    question: Item | None = None


@dataclass(frozen=True, slots=True)
class Approach:
    """A way of reaching services, as participants are told about it."""

    name: str
    label: str
    paragraphs: tuple[str, ...]


def instrument(name: str, words: Mapping[str, str]) -> Instrument:
    """The instrument of that name, filled in; raises `StudyRefused` for a word that the study does not say."""
    raw = _filled(_raw(f"{name}.toml"), words, name)
    lead = Section("", tuple(raw.get("paragraphs", ())))
    rest = [Section(each["heading"], tuple(each["paragraphs"])) for each in raw.get("section", ())]
    return Instrument(name, raw["title"], (lead, *rest), tuple(_item(each, raw, words) for each in raw.get("item", ())))


def card(name: str) -> Card:
    """The task of that name."""
    if name not in TASKS:
        raise StudyRefused(f"no task {name!r}", f"there are {', '.join(TASKS)}")
    raw = _raw(f"tasks/{name}.toml")
    text = {key: str(raw[key]) for key in ("title", "start", "goal", "success")}
    asked = Item("answer", raw["question"], "choice", options=_pairs(raw["options"])) if "question" in raw else None
    return Card(name, **text, limit=raw["minutes"] * 60.0, needs=raw.get("needs", ""), question=asked)


def approach(name: str) -> Approach:
    """The approach of that name."""
    if name not in APPROACHES:
        raise StudyRefused(f"no approach {name!r}", f"there are {', '.join(APPROACHES)}")
    raw = _raw("approaches.toml")[name]
    return Approach(name, raw["label"], tuple(raw["paragraphs"]))


@cache
def _raw(path: str) -> dict[str, Any]:
    place = files("devdns_study").joinpath("instruments").joinpath(path)
    return tomllib.loads(place.read_text("utf-8"))


def _filled(value: Any, words: Mapping[str, str], name: str) -> Any:
    if isinstance(value, str):
        try:
            return Template(value).substitute(words)
        except KeyError as missing:
            raise StudyRefused(
                f"{name} needs the word {missing.args[0]!r}", "give it in a file: devdns study plan --parameters FILE"
            ) from None
    if isinstance(value, list):
        return [_filled(each, words, name) for each in value]
    return {key: _filled(each, words, name) for key, each in value.items()} if isinstance(value, dict) else value


def _item(raw: Mapping[str, Any], form: Mapping[str, Any], words: Mapping[str, str]) -> Item:
    scale = form.get("scale", {})
    kind = cast("Kind", raw.get("kind", "scale"))
    if kind == "scale":
        ends = {end: raw.get(end, scale[end]) for end in ("left", "right")}
        return Item(raw["id"], raw["text"], kind, scale["low"], scale["high"], scale.get("step", 1), **ends)
    options = raw.get("options", ())
    if options == "approaches":
        options = [(name, approach(name).label) for name in words["order"].split(",")]
    return Item(raw["id"], raw["text"], kind, options=_pairs(options), required=raw.get("required", False))


def _pairs(options: Any) -> tuple[tuple[str, str], ...]:
    return tuple((value, label) for value, label in options)
