"""The two commands of the README, as a newcomer runs them: nothing prepared by hand."""

import subprocess

import pytest
from support.bare_root import as_stranger, debian, in_debian
from support.clean_clone import clean_clone
from support.parts import need, need_root
from support.source import ROOT
from support.stack import open_folder

pytestmark = pytest.mark.netns


def test_make_demo_without_rights_and_with_an_empty_home():
    need("unshare", "setpriv")
    need_root("a mount namespace")
    with open_folder() as place:
        done = as_stranger(
            clean_clone(place / "devdns"), "make demo DEMO_FLAGS=--check && make demo DEMO_FLAGS=--check"
        )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("making .venv with /usr/bin/python3")
    assert done.stdout.count("installing") == 1
    assert done.stdout.count("all answers are right") == 2


@pytest.mark.evidence
@pytest.mark.timeout(1800)
def test_both_commands_on_a_fresh_debian(tmp_path):
    """From a clone, where only make is there: `make demo`, then all that CI runs, with the parts it installs."""
    need("debootstrap", "git", "unshare")
    need_root("a root file system of its own")
    debian(tmp_path / "root")
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(tmp_path / "root" / "src")], check=True)
    demo = in_debian(tmp_path / "root", "command -v python3 git dig || make demo DEMO_FLAGS=--check")
    assert demo.returncode == 0, demo.stdout + demo.stderr
    assert "all answers are right" in demo.stdout
    whole = in_debian(tmp_path / "root", ".ci/run", CI="true")
    assert whole.returncode == 0, whole.stdout[-8000:] + whole.stderr[-4000:]
    assert "skipped" not in whole.stdout
