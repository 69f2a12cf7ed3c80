"""The rules that make a green run mean something: no skip under CI=true, exact versions, one test command."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib

import pytest
from support.parts import EVIDENCE, PACKAGES, packages
from support.source import ROOT

LOCK = ROOT / "tests" / "parts" / "constraints.txt"
SKIPPING = """
import pytest

def test_one():
    pytest.skip("a part is missing")

@pytest.mark.skipif(True, reason="never here")
def test_two():
    assert False

@pytest.mark.xfail(strict=True)
def test_three():
    assert False

def test_four():
    assert True
"""
SKIPPED_WHOLE = 'import pytest\npytest.skip("not on this machine", allow_module_level=True)\n'


@pytest.mark.parametrize(
    ("setting", "closing"),
    [
        ("true", "1 failed, 1 passed, 1 xfailed, 2 errors"),
        ("false", "1 passed, 3 skipped, 1 xfailed"),
        (None, "1 passed, 3 skip"),
    ],
)
def test_a_skip_is_a_failure_under_ci(tmp_path, setting, closing):
    shutil.copy(ROOT / "tests" / "conftest.py", tmp_path)
    (tmp_path / "test_skipping.py").write_text(SKIPPING)
    (tmp_path / "test_whole.py").write_text(SKIPPED_WHOLE)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    environ = {name: value for name, value in os.environ.items() if name != "CI"}
    environ |= {"PYTHONPATH": str(ROOT / "tests")} | ({"CI": setting} if setting else {})
    run = [sys.executable, "-m", "pytest", "-q", "--continue-on-collection-errors", "-p", "no:cacheprovider"]
    done = subprocess.run(run, cwd=tmp_path, env=environ, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[-1].startswith(closing), done.stdout
    assert (done.returncode != 0) == (setting == "true")


@pytest.mark.parametrize("lock", [LOCK, LOCK.with_name("sslyze.txt")])
def test_every_version_is_exact_and_names_no_place(lock):
    lines = [line for line in lock.read_text().splitlines() if not line.startswith("#")]
    assert [line for line in lines if not re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][A-Za-z0-9.]*", line)] == []


def test_every_library_we_name_has_its_exact_version():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    named = [*project["project"]["dependencies"], *project["dependency-groups"]["test"]]
    locked = {line.partition("==")[0].lower().replace("_", "-") for line in LOCK.read_text().splitlines()}
    assert {re.split(r"[^A-Za-z0-9_-]", line)[0] for line in named} <= locked


def test_the_npm_packages_are_exact_and_name_no_place():
    parts = ROOT / "tests" / "parts" / "node"
    named = json.loads((parts / "package.json").read_text())["dependencies"]
    locked = json.loads((parts / "package-lock.json").read_text())["packages"]
    assert {name: locked[f"node_modules/{name}"]["version"] for name in named} == named
    assert [name for name, each in locked.items() if name and (not each.get("integrity") or "resolved" in each)] == []


def test_every_program_is_named_once():
    lines = [*PACKAGES.read_text().splitlines(), *EVIDENCE.read_text().splitlines()]
    programs = [word for line in lines for word in line.partition("#")[0].split()[1:]]
    assert len(programs) == len(set(programs)) == len(packages())


def test_ci_runs_the_test_command_of_the_readme():
    assert re.search(r"^exec make test\b", (ROOT / ".ci" / "run").read_text(), re.MULTILINE)
    assert re.search(r"^make test\b", (ROOT / "README.md").read_text(), re.MULTILINE)


@pytest.mark.parametrize("script", ["run", "python", "packages", "node", "sslyze"])
def test_the_scripts_are_executable_shell(script):
    path = ROOT / ".ci" / script
    assert os.access(path, os.X_OK)
    assert subprocess.run(["sh", "-n", str(path)], check=False).returncode == 0
