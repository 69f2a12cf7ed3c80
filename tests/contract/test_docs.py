"""Everything a user can say or read is documented: commands, flags, keys, labels, metrics, exit codes."""

import ast
import re
from collections.abc import Iterator

import click
import pytest
from support.source import ROOT, modules, tree

from devdns.cli.main import cli
from devdns.core import errors
from devdns.core.config import KEYS
from devdns.providers.docker_labels import LABELS

README = (ROOT / "README.md").read_text()
PAGES = README + "".join(page.read_text() for page in ROOT.glob("*/README.md"))
METRIC = re.compile(r"devdns_[a-z0-9_]+")


def _commands(group: click.Group, name: str) -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for each in group.list_commands(context):
        command = group.get_command(context, each)
        assert command is not None
        yield f"{name} {each}", command
        if isinstance(command, click.Group):
            yield from _commands(command, f"{name} {each}")


COMMANDS = dict(_commands(cli, "devdns"))
FLAGS = sorted(
    (name, flag)
    for name, command in {"devdns": cli, **COMMANDS}.items()
    for option in command.params
    if isinstance(option, click.Option)
    for flag in (*option.opts, *option.secondary_opts)
)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_documented(name):
    assert re.search(rf"`{name}\b", README)


@pytest.mark.parametrize(("command", "flag"), FLAGS)
def test_every_flag_is_documented(command, flag):
    assert re.search(rf"(?<![-\w]){re.escape(flag)}(?![-\w])", README), f"{command} {flag}"


@pytest.mark.parametrize("key", KEYS, ids=lambda key: key.variable)
def test_every_key_is_in_the_table_as_the_code_has_it(key):
    cells = [f"`{key.path}`" if key.path else "", f"`{key.flag}`" if key.flag else "", f"`{key.variable}`"]
    assert f"| {' | '.join([*cells, key.default, key.doc])} |" in README


@pytest.mark.parametrize("label", LABELS.values(), ids=lambda label: label.key)
def test_every_label_is_in_the_table_as_the_code_has_it(label):
    assert f"| `{label.key}` | `{label.example}` | {label.doc} |" in README


def test_every_metric_is_documented():
    texts = {
        node.value
        for path in modules().values()
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    packages = {name.partition(".")[0] for name in modules()}
    metrics = {text for text in texts if METRIC.fullmatch(text)} - packages
    assert {metric for metric in metrics if metric not in PAGES} == set()


def test_every_exit_code_is_documented():
    codes = {each.exit_code for each in vars(errors).values() if isinstance(each, type) and hasattr(each, "exit_code")}
    assert codes | {0} == {int(code) for code in re.findall(r"^\| ([0-9]) \|", README, re.MULTILINE)}
