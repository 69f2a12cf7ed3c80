"""The token file: made once, ours alone, never one that others planted."""

import os
import stat

import pytest

from devdns.control import token
from devdns.core.errors import DevdnsError


def test_a_token_is_made_once_and_kept(tmp_path):
    made = token.load(tmp_path / "token")
    assert len(made) == 64
    assert token.load(tmp_path / "token") == made
    assert stat.S_IMODE((tmp_path / "token").stat().st_mode) == 0o600


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o606])
def test_one_that_others_can_touch_is_replaced(tmp_path, mode):
    path = tmp_path / "token"
    path.write_text("a" * 64 + "\n")
    path.chmod(mode)
    assert token.load(path) != "a" * 64
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("text", ["", "short", "with space " * 8, "é" * 64])
def test_one_that_is_not_whole_is_replaced(tmp_path, text):
    path = tmp_path / "token"
    path.write_text(text)
    path.chmod(0o600)
    assert len(token.load(path)) == 64


def test_a_link_is_never_followed(tmp_path):
    theirs = tmp_path / "theirs"
    theirs.write_text("b" * 64)
    theirs.chmod(0o600)
    (tmp_path / "token").symlink_to(theirs)
    assert token.load(tmp_path / "token") != "b" * 64
    assert theirs.read_text() == "b" * 64
    assert not (tmp_path / "token").is_symlink()


def test_a_pipe_in_its_place_does_not_hang(tmp_path):
    os.mkfifo(tmp_path / "token", 0o600)
    assert len(token.load(tmp_path / "token")) == 64


def test_a_folder_that_cannot_be_written_is_said_in_one_line(tmp_path):
    with pytest.raises(DevdnsError, match="cannot make the token file"):
        token.load(tmp_path / "missing" / "token")


def test_a_folder_in_its_place_is_said(tmp_path):
    (tmp_path / "token").mkdir()
    with pytest.raises(DevdnsError, match="is a folder - remove it"):
        token.load(tmp_path / "token")
