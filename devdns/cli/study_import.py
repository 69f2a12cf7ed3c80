"""`devdns study import FILE`: rows from paper or survey tools into the study's database, all of them or none."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from devdns.cli.options import common
from devdns.cli.study import data_option
from devdns.cli.text import clean, say, style


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@data_option
@common
def take(*, file: Path, data: Path, state_dir: Path, config: Path | None) -> None:  # noqa: ARG001 - understood by every command
    """Take the answers of a CSV file into the study."""
    from devdns_study.rows import import_rows  # noqa: PLC0415 - loaded when needed
    from devdns_study.store import Store  # noqa: PLC0415
    from devdns_study.tables import read_table  # noqa: PLC0415

    table = read_table(file)
    with Store.opened(data, create=True) as store:
        fresh = import_rows(store, table.responses, file.name)
    if table.ignored:
        note = style(sys.stderr)("ignored", "yellow")
        say(f"{note}  columns that are not of the study: {clean(', '.join(table.ignored))}", stream=sys.stderr)
    known = len(table.responses) - fresh
    say(f"{fresh} rows taken into {clean(data)}" + (f", {known} were there already" if known else ""))
