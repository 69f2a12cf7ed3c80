"""The bundle that `SSL_CERT_FILE` names: all that the system trusts, and ours."""

from __future__ import annotations

import os
import ssl

import pytest

from devdns.core.errors import DevdnsError
from devdns.system.bundle import NAME, bundle


@pytest.fixture
def system(tmp_path, other_ca):
    path = tmp_path / "system.pem"
    path.write_bytes(other_ca.pem.rstrip(b"\n"))  # without a newline at its end
    return path


def test_it_holds_the_systems_and_ours(tmp_path, system, ca, other_ca):
    path = bundle(tmp_path, ca, ("/nowhere", str(system)))
    assert path == tmp_path / NAME
    settings = ssl.create_default_context(cafile=str(path))
    assert {*settings.get_ca_certs(binary_form=True)} == {ca.der, other_ca.der}


def test_it_follows_the_system_and_is_left_alone_where_nothing_changed(tmp_path, system, ca):
    first = bundle(tmp_path, ca, (str(system),)).stat()
    assert bundle(tmp_path, ca, (str(system),)).stat().st_ino == first.st_ino
    system.write_bytes(b"")
    assert bundle(tmp_path, ca, (str(system),)).stat().st_size < first.st_size


def test_where_the_system_trusts_us_its_own_will_do(tmp_path, system, ca, other_ca):
    system.write_bytes(other_ca.pem + ca.pem)
    assert bundle(tmp_path, ca, (str(system),)) == system
    assert not (tmp_path / NAME).exists()


def test_a_link_in_its_place_is_replaced_and_not_followed(tmp_path, system, ca):
    (tmp_path / "precious").write_text("precious")
    (tmp_path / NAME).symlink_to("precious")
    assert not bundle(tmp_path, ca, (str(system),)).is_symlink()
    assert (tmp_path / "precious").read_text() == "precious"


def test_no_bundle_or_no_room_is_told_in_a_line(tmp_path, system, ca):
    with pytest.raises(DevdnsError, match="no bundle of CAs"):
        bundle(tmp_path, ca, ())
    os.mkfifo(tmp_path / "no-folder")
    with pytest.raises(DevdnsError, match="no-folder"):
        bundle(tmp_path / "no-folder", ca, (str(system),))
