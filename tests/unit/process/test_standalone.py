"""A part alone: whose rights it has when root started it."""

import os

import pytest
from support.parts import need_root
from support.stack import open_folder

from devdns.core.errors import UsageRefused
from devdns.process import standalone


@pytest.fixture
def folder(monkeypatch):
    need_root("to have rights to give up")
    monkeypatch.chdir("/")
    with open_folder() as parent:
        yield parent


def became(name, folder, **environ):
    """What the part is told of its user and its sockets, and where it stands."""
    given = {
        "DEVDNS_SETTINGS": SETTINGS,
        "DEVDNS_STATE_DIR": str(folder),
        "DEVDNS_SNAPSHOTS": f"{folder}/snapshots.sock",
    }
    opened, told = standalone.open_sockets(name, {**given, "DEVDNS_WEB": f"{folder}/web.sock", **environ})
    for _, sock in opened.sockets:
        sock.close()
    return told


SETTINGS = '{"zones": ["dev.test"], "dns": {"listen": [["127.0.0.1", 0]]}, "http": {"listen": [["127.0.0.1", 0]]}}'


@pytest.mark.parametrize("name", ["resolver", "proxy"])
def test_it_becomes_the_user_of_controls_folder(folder, name):
    os.chown(folder, 54321, 54322)
    told = became(name, folder)
    told_of = [told[f"DEVDNS_{word}"] for word in ("RUN_AS", "SNAPSHOTS", "LEAVES", "WEB")]
    assert told_of == [
        "54321:54322",
        "snapshots.sock",
        "leaves.sock",
        "web.sock",
    ]
    assert folder.samefile(".")


def test_before_control_it_becomes_nobody(folder):
    assert became("proxy", folder / "later")["DEVDNS_RUN_AS"] == "65534:65534"


def test_a_user_that_is_given_is_taken(folder):
    assert became("proxy", folder, DEVDNS_RUN_AS="1000:1000")["DEVDNS_RUN_AS"] == "1000:1000"
    with pytest.raises(UsageRefused, match="is not UID:GID"):
        became("proxy", folder, DEVDNS_RUN_AS="root")


def test_control_becomes_the_user_of_its_own_folder(folder):
    folder.chmod(0o700)
    os.chown(folder, 54321, 54322)
    assert became("control", folder)["DEVDNS_RUN_AS"] == "54321:54322"
