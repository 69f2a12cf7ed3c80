"""Whose process is at the other end."""

import os
import socket
import subprocess
import sys

import pytest
from support.stack import open_folder

from devdns.control import peers

ROOT = os.geteuid() == 0
CONNECT = "import os, socket, sys; os.setuid(int(sys.argv[2])); s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); s.recv(1)"


def test_our_own_socket_pair_is_us():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert peers.uid(ours) == os.geteuid()


def test_what_is_no_socket_has_no_user():
    assert peers.uid(None) is None
    assert not peers.trusted(None)


@pytest.mark.skipif(not ROOT, reason="needs root to become another user")
def test_another_user_is_named_and_not_trusted():
    with open_folder() as folder, socket.socket(socket.AF_UNIX) as listener:
        path = folder / "door.sock"
        listener.bind(str(path))
        path.chmod(0o666)
        listener.listen()
        listener.settimeout(10)
        other = subprocess.Popen([sys.executable, "-c", CONNECT, str(path), "65534"])
        peer, _ = listener.accept()
        with peer:
            assert peers.uid(peer) == 65534
            assert not peers.trusted(65534)
        other.wait(10)


@pytest.mark.skipif(not ROOT, reason="needs root to give the folder away")
def test_the_owner_of_the_state_folder_is_trusted(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    os.chown(tmp_path, 12345, 12345)
    assert peers.trusted(12345)
    assert peers.trusted(0)
    assert not peers.trusted(12346)
