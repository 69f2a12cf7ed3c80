"""A CA certificate read from a file, and the names it has in stores."""

from __future__ import annotations

import base64
import os
import subprocess
import time

import pytest

from devdns.control.signing.authority import Authority
from devdns.core.errors import DevdnsError
from devdns.system.certificate import Certificate, holds, in_pem, name_of, read, spoken


@pytest.fixture(scope="module")
def pem():
    return Authority.new(["dev.test"], time.time()).pem()


def test_it_is_read_and_written_the_same(tmp_path, pem):
    (tmp_path / "ca.pem").write_bytes(b"a line before\n" + pem.replace(b"\n", b"\r\n"))
    certificate = read(tmp_path / "ca.pem")
    assert certificate.pem == pem
    assert in_pem(certificate.pem) == [certificate.der]


def test_its_fingerprints_are_those_that_openssl_tells(tmp_path, pem):
    (tmp_path / "ca.pem").write_bytes(pem)
    certificate = read(tmp_path / "ca.pem")
    for digest, ours in (("sha256", spoken(certificate.fingerprint)), ("sha1", certificate.thumbprint)):
        command = ["openssl", "x509", "-noout", "-fingerprint", f"-{digest}", "-in", tmp_path / "ca.pem"]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip().partition("=")[2]
        assert ours.replace(":", "") == said.replace(":", "")
    assert certificate.name == name_of(certificate.fingerprint) == f"devdns-{certificate.fingerprint[:16]}"


@pytest.mark.parametrize(
    ("text", "said"),
    [(b"", "holds 0 certificates"), (b"-----BEGIN CERTIFICATE-----\n*\n", "holds 0 certificates"), (None, "no CA yet")],
)
def test_what_is_not_one_certificate_is_refused(tmp_path, text, said):
    if text is not None:
        (tmp_path / "ca.pem").write_bytes(text)
    with pytest.raises(DevdnsError, match=said):
        read(tmp_path / "ca.pem")


def test_two_certificates_are_refused(tmp_path, pem):
    (tmp_path / "ca.pem").write_bytes(pem + pem)
    with pytest.raises(DevdnsError, match="holds 2 certificates, not one"):
        read(tmp_path / "ca.pem")


def test_a_fifo_in_its_place_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "ca.pem")
    with pytest.raises(DevdnsError, match="cannot be read: not a plain file"):
        read(tmp_path / "ca.pem")


def test_a_bundle_holds_a_certificate_however_its_lines_are_cut(tmp_path, pem):
    (certificate,) = map(Certificate, in_pem(pem))
    one_line = b"-----BEGIN CERTIFICATE-----\n" + base64.b64encode(certificate.der) + b"\n-----END CERTIFICATE-----\n"
    (tmp_path / "bundle").write_bytes(Authority.new(["other.test"], time.time()).pem() + one_line)
    assert holds(tmp_path / "bundle", certificate)
    (tmp_path / "bundle").write_bytes(one_line.replace(b"MII", b"MIJ", 1))
    assert not holds(tmp_path / "bundle", certificate)
