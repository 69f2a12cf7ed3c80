"""How the routes file is read: a file or a pipe, bounded in size and time; whatever else is named costs one line."""

import os
import subprocess
import threading

import pytest

from devdns.cli import settings
from devdns.cli.settings import read_bounded, read_file, read_settings, warnings
from devdns.core.errors import UsageRefused


def test_a_file_and_a_pipe_are_read_whole(tmp_path):
    (tmp_path / "devdns.yml").write_text("routes: {}\n")
    assert read_bounded(tmp_path / "devdns.yml") == b"routes: {}\n"
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=(tmp_path / "pipe").write_text, args=("routes: {}\n" * 20_000,))
    writer.start()
    assert read_bounded(tmp_path / "pipe") == b"routes: {}\n" * 20_000
    writer.join()


@pytest.mark.parametrize(
    ("path", "why"),
    [("/dev/zero", "neither a file nor a pipe"), ("/", "Is a directory"), ("/proc/self/mem", "cannot be read")],
)
def test_what_is_no_file_is_refused(path, why):
    with pytest.raises(UsageRefused, match=why):
        read_file(settings.Path(path))


def test_a_pipe_without_a_writer_is_not_waited_for_long(tmp_path, monkeypatch):
    monkeypatch.setattr(settings, "PIPE_SECONDS", 0.1)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UsageRefused, match="nobody wrote all of it"):
        read_file(tmp_path / "pipe")


def test_an_endless_pipe_is_cut_off(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with subprocess.Popen(
        ["dd", "if=/dev/zero", f"of={tmp_path / 'pipe'}", "bs=1M"], stderr=subprocess.DEVNULL
    ) as endless:
        with pytest.raises(UsageRefused, match=r"bytes long|nobody wrote"):
            read_file(tmp_path / "pipe")
        endless.wait(10)


def test_a_big_file_is_cut_off(tmp_path):
    with (tmp_path / "big").open("wb") as big:
        big.truncate(1 << 40)
    with pytest.raises(UsageRefused, match="bytes long"):
        read_file(tmp_path / "big")


def test_certificates_are_relative_to_the_file_and_variables_to_the_folder(tmp_path, monkeypatch):
    (tmp_path / "project").mkdir()
    file = tmp_path / "project" / "devdns.yml"
    file.write_text("tls: {cert: certs/own.pem, key: /etc/own.key}\n")
    monkeypatch.chdir(tmp_path)
    found, _ = read_settings(settings.Path("project/devdns.yml"), {})
    assert (found.tls.cert, found.tls.key) == (str(tmp_path / "project/certs/own.pem"), "/etc/own.key")
    said, _ = read_settings(file, {"DEVDNS_TLS_CERT": "other.pem"})
    assert (said.tls.cert, said.tls.key) == (str(tmp_path / "other.pem"), "/etc/own.key")
    assert warnings(file, said) == [
        f"tls.cert: the file {tmp_path}/other.pem is not there",
        "tls.key: the file /etc/own.key is not there",
    ]
    assert read_settings(None, {})[0].tls.cert is None
