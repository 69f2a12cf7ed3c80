"""`devdns study report FILE`: the analysis as a page, LaTeX tables and vector figures, the same bytes on every run."""

from __future__ import annotations

from pathlib import Path

import click

from devdns.cli.options import common, option
from devdns.cli.study import extra
from devdns.cli.text import clean, say


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@option("--out", type=click.Path(path_type=Path, file_okay=False), default="report", show_default=True, metavar="DIR", help="Where it is written.")  # fmt: skip
@option("--seed", type=int, default=1, show_default=True, metavar="N", help="What resampling is drawn from.")
@option("--synthetic", is_flag=True, help="Report made-up rows, too, and mark every figure.")
@common
def report(  # noqa: PLR0913 - one argument for each flag
    *,
    file: Path,
    out: Path,
    seed: int,
    synthetic: bool,
    state_dir: Path,  # noqa: ARG001 - understood by every command
    config: Path | None,  # noqa: ARG001
) -> None:
    """Write the report on a study's answers.

    FILE is a CSV file or the study's database.
    """
    from devdns_study.rows import read_source  # noqa: PLC0415 - loaded when needed

    source = read_source(file)
    with extra("the report"):
        from devdns_study.analysis.report import write_report  # noqa: PLC0415 - needs the extra

        paths = write_report(source, out, seed=seed, synthetic=synthetic)
    say(f"{len(paths)} files in {clean(out)}, begin with {clean(paths[0])}")
