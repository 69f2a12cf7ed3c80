"""What a test may not do: sleep, replace what we own with a mock, or assert nothing."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from support.source import ROOT, tree

FILES = sorted((ROOT / "tests").rglob("*.py"))
TESTS = [path for path in FILES if path.name.startswith("test_")]
JUDGES = {"raises", "warns", "fail", "timeout"}  # a bounded wait fails when its event does not come
Function = ast.FunctionDef | ast.AsyncFunctionDef


def _functions(path: Path) -> Iterator[Function]:
    return (node for node in ast.walk(tree(path)) if isinstance(node, Function))


def _called(node: ast.AST) -> Iterator[str]:
    """The last name of everything called below a node: `sleep` of `asyncio.sleep(1)`."""
    for call in ast.walk(node):
        if isinstance(call, ast.Call):
            function = call.func
            yield function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


@cache
def _asserting() -> set[str]:
    """Names of all functions that assert, or that call one which does."""
    bodies = [function for path in FILES for function in _functions(path)]
    found = JUDGES | {body.name for body in bodies if any(isinstance(node, ast.Assert) for node in ast.walk(body))}
    calls = [(body.name, set(_called(body))) for body in bodies]
    while more := {name for name, called in calls if name not in found and found & called}:
        found |= more
    return found


@pytest.mark.parametrize("path", TESTS, ids=lambda path: str(path.relative_to(ROOT / "tests")))
def test_every_test_asserts(path):
    asserting = _asserting()
    idle = [
        function.name
        for function in _functions(path)
        if function.name.startswith("test_")
        and not any(isinstance(node, ast.Assert) for node in ast.walk(function))
        and not asserting & set(_called(function))
    ]
    assert not idle


def _naps(node: ast.AST) -> Iterator[ast.Call]:
    for call in ast.walk(node):
        named = isinstance(call, ast.Call) and next(_called(call), "") == "sleep"
        if named and [ast.unparse(argument) for argument in call.args] != ["0"]:
            yield call


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT / "tests")))
def test_nothing_sleeps_for_a_time(path):
    """A test waits for the event it needs, with a bound. `sleep(0)` only yields; a poll in a `while` is a wait.

    In `support` a load may be paced, so any loop will do there.
    """
    paced = (ast.While, ast.For, ast.AsyncFor) if path.parent.name == "support" else (ast.While,)
    loops = [node for node in ast.walk(tree(path)) if isinstance(node, paced)]
    polls = {nap for loop in loops for nap in _naps(loop)}
    assert [nap.lineno for nap in _naps(tree(path)) if nap not in polls] == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT / "tests")))
def test_nothing_is_mocked(path):
    imported = {
        name
        for node in ast.walk(tree(path))
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [f"{node.module}.{alias.name}" for alias in node.names]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert not [name for name in imported if "mock" in name.lower()]
