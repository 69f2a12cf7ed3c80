"""The two commands of the README, as a newcomer runs them: nothing prepared by hand."""

import pytest
from support.bare_root import as_stranger, debian, in_debian
from support.clean_clone import clean_clone
from support.parts import need, need_root
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
    assert done.stdout.splitlines()[:2] == [
        "making .venv with /usr/bin/python3.11",
        "installing devdns and its libraries into .venv",
    ]
    assert done.stdout.count("installing") == 1
    assert done.stdout.count("all answers are right") == 2


@pytest.mark.evidence
def test_make_on_a_fresh_debian(tmp_path):
    """`make demo`, and what `make test` installs and checks before the tests themselves, where only make is there."""
    need("debootstrap", "unshare")
    need_root("a root file system of its own")
    debian(tmp_path / "root")
    clean_clone(tmp_path / "root" / "src")
    demo = in_debian(tmp_path / "root", "make demo DEMO_FLAGS=--check")
    assert demo.returncode == 0, demo.stdout + demo.stderr
    checked = in_debian(tmp_path / "root", "make parts lint types unit", CI="true")
    assert checked.returncode == 0, checked.stdout[-4000:] + checked.stderr[-4000:]
