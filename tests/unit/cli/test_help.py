"""The help of the groups names what there is, and no summary of a command is cut."""

import click
import pytest

from devdns.cli import bench
from devdns.cli.main import cli, main
from devdns_bench.approaches import APPROACHES
from devdns_bench.scenarios import SCENARIOS


def groups(group, path=()):
    """The words that call each group, the outermost first."""
    yield path
    context = click.Context(group)
    for name in group.list_commands(context):
        if isinstance(command := group.get_command(context, name), click.Group):
            yield from groups(command, (*path, name))


@pytest.fixture(autouse=True)
def _columns(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")


def test_the_help_of_the_bench_names_every_scenario_and_approach(capsys):
    assert ([*bench.SCENARIOS], [*bench.APPROACHES]) == ([*SCENARIOS], [*APPROACHES])
    assert main(["bench", "--help"]) == 0
    words = capsys.readouterr().out.replace(",", " ").replace(".", " ").split()
    assert {*SCENARIOS, *APPROACHES} <= {*words}


@pytest.mark.parametrize("path", [*groups(cli)], ids=lambda path: " ".join(path) or "devdns")
def test_no_summary_is_cut_on_a_screen_of_80_columns(capsys, path):
    assert main([*path, "--help"]) == 0
    usage, *rest = capsys.readouterr().out.splitlines()
    assert usage.startswith("Usage: devdns")
    assert [line for line in rest if line.endswith("...")] == []


def test_a_time_of_the_bench_is_read_as_everywhere(capsys):
    assert main(["bench", "report", ".", "--reaction", "soon"]) == 2
    assert "'soon' is not a time" in capsys.readouterr().err
