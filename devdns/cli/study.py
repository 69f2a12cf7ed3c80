"""`devdns study ...`: the usability study. Its package and libraries are loaded when a subcommand needs them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from devdns.cli.extras import install_line
from devdns.cli.lazy import LazyGroup
from devdns.cli.options import option
from devdns.core.errors import DevdnsError

#: Subcommand -> where it lives, in the order of `devdns study --help`.
COMMANDS = {
    "plan": "devdns.cli.study_plan:plan",
    "session": "devdns.cli.study_session:session",
    "import": "devdns.cli.study_import:take",
    "score": "devdns.cli.study_score:score",
    "report": "devdns.cli.study_report:report",
}
EXTRA = ("numpy", "scipy", "matplotlib")
DATA = "study.sqlite"


@click.group(cls=LazyGroup, places=COMMANDS)
def study() -> None:
    """Plan, run and analyse the usability study."""


data_option = option(
    "--data",
    type=click.Path(path_type=Path, dir_okay=False),
    default=DATA,
    show_default=True,
    metavar="FILE",
    help="The database of the study.",
)


@contextmanager
def extra(what: str) -> Iterator[None]:
    """Says how to install what is missing, when it is one of the libraries of the extra."""
    try:
        yield
    except ModuleNotFoundError as error:
        name = (error.name or "").partition(".")[0]
        if name not in EXTRA:
            raise
        raise DevdnsError(f"{what} needs {name}", install_line("study")) from None
