"""`devdns study score FILE`: the scores of every row of a CSV file or of the study's database, and who is left out and why."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from devdns.cli.options import common, json_option
from devdns.cli.show import print_json
from devdns.cli.text import clean, say, style, table

HEADER = ("PARTICIPANT", "APPROACH", "SUS", "GRADE", "ADJECTIVE", "USABILITY", "LEARNABILITY", "FLAGS")


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@json_option
@common
def score(*, file: Path, as_json: bool, state_dir: Path, config: Path | None) -> None:  # noqa: ARG001 - understood by every command
    """Score a study's answers.

    FILE is a CSV file or the study's database.
    """
    from devdns_study.rows import read_source  # noqa: PLC0415 - loaded when needed
    from devdns_study.scores import score_all  # noqa: PLC0415

    source = read_source(file)
    scores = score_all(source.rows, len(source.withdrawn))
    if as_json:
        print_json(scores)
    else:
        say(*_lines(scores))


def _lines(scores: Mapping[str, Any]) -> Iterator[str]:
    paint = style(sys.stdout)
    rows = [_row(each) for each in scores["participants"]]
    if rows:
        header, *body = table(rows, HEADER)
        yield paint(header, "bold")
        yield from body
    for each in scores["excluded"]:
        yield f"{paint('left out', 'yellow')}  {clean(each['participant'])} {clean(each['approach'])}: {each['reason']}"
    counts = scores["counts"]
    notes = [f", {counts[key]} {key}" for key in ("synthetic", "withdrawn") if counts[key]]
    yield f"{counts['scored']} of {counts['rows']} rows scored{''.join(notes)}"


def _row(each: Mapping[str, Any]) -> tuple[str, ...]:
    numbers = (f"{each[key]:.1f}" for key in ("usability", "learnability"))
    flags = [*each["flags"], *(["synthetic"] if each["synthetic"] else [])]
    return (
        each["participant"],
        each["approach"],
        f"{each['sus']:.1f}",
        each["grade"],
        each["adjective"],
        *numbers,
        ", ".join(flags) or "-",
    )
