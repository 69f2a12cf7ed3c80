"""`devdns study ...`: the usability study. Its package and libraries are loaded when a subcommand needs them."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

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


class StudyGroup(click.Group):
    """A group that imports a subcommand when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command


@click.group(cls=StudyGroup)
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
        raise DevdnsError(f"{what} needs {name}", "pip install 'devdns-stack[study]'") from None
