"""The wheel that users install: what it puts into their environment, and nothing else."""

import configparser
import subprocess
import sys
import zipfile

import pytest
from support.source import PACKAGES, ROOT


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    done = subprocess.run(build, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = folder.glob("*.whl")
    with zipfile.ZipFile(built) as archive:
        yield archive


def _metadata(wheel: zipfile.ZipFile, name: str) -> str:
    (path,) = [each for each in wheel.namelist() if each.endswith(f".dist-info/{name}")]
    return wheel.read(path).decode()


def test_the_top_levels_are_the_five_packages_and_the_metadata(wheel):
    tops = {name.partition("/")[0] for name in wheel.namelist()}
    assert {top for top in tops if not top.startswith("devdns_stack-")} == set(PACKAGES)
    assert [top.rpartition(".")[2] for top in tops if top.startswith("devdns_stack-")] == ["dist-info"]


@pytest.mark.parametrize("package", PACKAGES)
def test_every_file_of_a_package_is_in_it_data_files_too(wheel, package):
    shipped = {name for name in wheel.namelist() if name.startswith(f"{package}/")}
    folder = PACKAGES[package]
    there = {path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    assert shipped == {f"{package}/{path.relative_to(folder).as_posix()}" for path in there}
    assert f"{package}/py.typed" in shipped


def test_the_command_is_called_devdns(wheel):
    entry_points = configparser.ConfigParser()
    entry_points.read_string(_metadata(wheel, "entry_points.txt"))
    assert dict(entry_points["console_scripts"]) == {"devdns": "devdns.cli.main:main"}


def test_the_metadata_says_what_pip_must_know(wheel):
    metadata = _metadata(wheel, "METADATA").splitlines()
    assert "Name: devdns-stack" in metadata
    assert "Requires-Python: >=3.11" in metadata
    assert "License-Expression: MIT" in metadata
    assert {"Provides-Extra: bench", "Provides-Extra: study"} <= set(metadata)


def test_the_packages_work_from_the_wheel_alone(wheel, tmp_path):
    wheel.extractall(tmp_path)
    show = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import {', '.join(PACKAGES)}; print(devdns.__file__)"
    done = subprocess.run([sys.executable, "-c", show], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.stdout.strip() == str(tmp_path / "devdns" / "__init__.py"), done.stderr
