"""What `devdns system` says and how it ends: shown first, asked once, refused over what somebody else changed."""

from __future__ import annotations

import json
import os
import pty
import select
import subprocess
import sys
from collections.abc import Iterator

import pytest
from support.room import Room, room
from support.waiting import wait_until

pytestmark = pytest.mark.netns
HOSTS = ("--resolver", "hosts", "--service", "off")
DNSMASQ = ("--resolver", "dnsmasq", "--service", "off")


@pytest.fixture(scope="module")
def machine() -> Iterator[Room]:
    with room() as made:
        yield made


@pytest.fixture(autouse=True)
def untouched(machine: Room) -> Iterator[None]:
    """Each test brings back what it changed."""
    before = machine.picture()
    yield
    assert machine.picture() == before
    assert not (machine.state / "system.journal").exists()


def test_nothing_is_changed_that_was_not_asked_for(machine: Room) -> None:
    said = machine.devdns("system", "install", "--dry-run", *DNSMASQ)
    assert "would write /etc/dnsmasq.d/devdns.conf\n    # Written by devdns" in said
    assert "server=/dev.test/127.0.0.1#5300" in said
    said = machine.devdns("system", "install", *DNSMASQ, check=2)
    assert said.splitlines()[-1].startswith("devdns: nobody said yes")
    assert said.splitlines()[-1].endswith(" - devdns system install --resolver dnsmasq --service off --yes")
    assert "devdns system install --dry-run shows" in machine.devdns("system", "status", check=1)


def test_who_is_not_root_gets_the_line_with_sudo(machine: Room) -> None:
    """As root of nothing: a namespace for users without the right to anything outside."""
    command = [sys.executable, "-m", "devdns.cli.main", "system", "install", "--yes", *DNSMASQ]
    fake = ("unshare", "--user", "--map-user=1000", *command)
    done = machine.run(*fake, HOME=str(machine.folder))
    assert done.returncode == 2
    assert "that needs root, which devdns never takes by itself - sudo " in done.stderr


def test_at_a_terminal_it_is_asked_once(machine: Room) -> None:
    ours, theirs = pty.openpty()
    command = [*machine.prefix, sys.executable, "-m", "devdns.cli.main", "system", "install", *DNSMASQ]
    environ = {**os.environ, "DEVDNS_STATE_DIR": str(machine.state)}
    with subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, env=environ, cwd=machine.folder
    ) as asking:
        os.close(theirs)
        text = b""
        while b"Go on? [y/N]" not in text:
            assert select.select([ours], [], [], 20)[0], text
            text += os.read(ours, 4096)
        os.write(ours, b"n\n")
        assert asking.wait(20) == 130
    os.close(ours)


def test_what_somebody_else_changed_is_shown_and_left(machine: Room) -> None:
    machine.devdns("system", "install", "--yes", *DNSMASQ)
    ours = machine.etc / "dnsmasq.d" / "devdns.conf"
    text = ours.read_text()
    ours.write_text(text.replace("5300", "5353"))
    said = machine.devdns("system", "uninstall", "--yes", check=1)
    assert "\n-server=/dev.test/127.0.0.1#5300\n+server=/dev.test/127.0.0.1#5353\n" in said
    assert "changed by somebody else since devdns wrote it: /etc/dnsmasq.d/devdns.conf" in said
    assert "changed  /etc/dnsmasq.d/devdns.conf" in machine.devdns("system", "status", check=1)
    assert "left     /etc/dnsmasq.d/devdns.conf" in machine.devdns("system", "uninstall", "--yes", "--keep")
    assert "5353" in ours.read_text()
    assert "is there and not of this state folder" in machine.devdns("system", "install", "--yes", *DNSMASQ, check=2)
    ours.unlink()
    ours.parent.rmdir()


def test_a_journal_of_somebody_else_moves_nothing(machine: Room) -> None:
    entry = {"step": {"kind": "write"}, "phase": "done", "was": "", "after": ""}
    machine.state.mkdir(0o700, exist_ok=True)
    journal = machine.state / "system.journal"
    evil = {"type": "write", "path": "/etc/sudoers.d/evil", "text": ""}
    journal.write_text(json.dumps({"version": 1, "entries": [{**entry, "step": evil, "before": {}}]}))
    assert "which devdns never changes" in machine.devdns("system", "uninstall", "--yes", check=1)
    journal.unlink()


def test_the_hosts_file_follows_the_names_of_the_devdns_that_runs(machine: Room) -> None:
    machine.devdns("system", "install", "--yes", *HOSTS)
    with machine.up() as stack:
        wait_until(lambda: machine.finds("api.dev.test") & {"127.0.0.1", "::1"}, what="the name")
        stack.run("add", "web", "9000", check=0)
        stack.run("add", "*.wild", "9000", check=0)
        wait_until(lambda: machine.finds("web.dev.test"), what="the new name")
        assert "wild" not in (machine.etc / "hosts").read_text()
        machine.devdns("system", "uninstall", "--yes")
        stack.run("rm", "web", check=0)
    assert "devdns" not in (machine.etc / "hosts").read_text()
