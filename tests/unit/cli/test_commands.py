"""The shape of the whole command: what every subcommand understands, and how it starts and ends."""

import os
import subprocess
import sys

import click
import pytest

from devdns.cli.main import COMMANDS, cli, main
from devdns.core.config import KEYS

READING = {
    "trust",
    "untrust",
    "env",
    "system status",
    "status",
    "routes",
    "doctor",
    "explain",
    "history",
    "open",
    "config check",
    "add",
    "rm",
    "chaos",
    "study plan",
    "study score",
}
PATHS = {"config": "-c", "state_dir": "--state-dir"}


def leaves(group, path=()):
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from leaves(command, (*path, name))
        else:
            yield " ".join((*path, name)), command


LEAVES = dict(leaves(cli))


@pytest.mark.parametrize("name", LEAVES)
def test_every_command_understands_the_state_folder_and_the_file(name):
    flags = {flag for each in LEAVES[name].params for flag in each.opts}
    assert {"-c", "--config", "--state-dir", "--debug"} <= flags
    assert ("--json" in flags) == (name in READING)


@pytest.mark.parametrize("name", LEAVES)
def test_every_flag_has_its_variable_and_its_help(name):
    for each in LEAVES[name].params:
        if isinstance(each, click.Option):
            long = max(each.opts, key=len).removeprefix("--").replace("-", "_").upper()
            assert each.envvar in (f"DEVDNS_{long}", f"DEVDNS_ROUTE_{long}", f"DEVDNS_CHAOS_{long}")
            assert each.help


def test_flags_and_settings_share_their_variables():
    flags = {flag: each.envvar for each in LEAVES["up"].params for flag in each.opts}
    for key in KEYS:
        if key.flag:
            assert flags[key.flag] == key.variable


def test_an_unknown_command_is_none():
    assert cli.get_command(click.Context(cli), "nope") is None
    assert set(COMMANDS) == set(cli.list_commands(click.Context(cli)))


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], ["up", "--help"], ["config", "--help"]])
def test_help(capsys, arguments):
    assert main(arguments) == 0
    assert capsys.readouterr().out.startswith("Usage: devdns")


@pytest.mark.parametrize("arguments", [["--help"], ["config", "--help"]])
def test_no_summary_is_cut(capsys, arguments):
    main(arguments)
    assert "..." not in capsys.readouterr().out.partition("Commands:")[2]


def test_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("devdns ")


@pytest.mark.parametrize("arguments", [[], ["config"]])
def test_a_group_alone_shows_its_help_and_is_wrong_usage(capsys, arguments):
    assert main(arguments) == 2
    assert capsys.readouterr().err.startswith("Usage: devdns")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(capsys, shell):
    assert main(["completion", shell]) == 0
    assert "_DEVDNS_COMPLETE" in capsys.readouterr().out


def test_the_shell_is_told_the_commands():
    environ = os.environ | {"_DEVDNS_COMPLETE": "bash_complete", "COMP_WORDS": "devdns ro", "COMP_CWORD": "1"}
    done = subprocess.run(
        [sys.executable, "-c", "from devdns.cli.main import main; main()"],
        env=environ,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "plain,routes\n"


def test_reading_commands_load_little():
    """The fast path: no YAML, no event loop, nothing of the model but its errors."""
    show = (
        "import sys; from devdns.cli.main import main; main(['routes', '--state-dir', '/nonexistent']); "
        "print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", show], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "devdns.cli.routes" in loaded
    libraries = {"asyncio", "aiohttp", "cryptography", "msgspec", "structlog", "yaml"}
    assert not loaded & {*libraries, "devdns.core.routes", "devdns.cli.up"}
