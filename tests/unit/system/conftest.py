"""CAs of devdns, and NSS stores made by the program that browsers' stores are made by."""

import subprocess
import time

import pytest
from support.parts import need

from devdns.control.signing.authority import Authority
from devdns.system.certificate import Certificate, in_pem


def certificate():
    """A CA of its own."""
    return Certificate(in_pem(Authority.new(["dev.test"], time.time()).pem())[0])


@pytest.fixture(scope="session")
def ca():
    return certificate()


@pytest.fixture(scope="session")
def other_ca():
    return certificate()


@pytest.fixture
def store(tmp_path):
    """An empty NSS store."""
    need("certutil")
    folder = tmp_path / "store"
    folder.mkdir()
    subprocess.run(["certutil", "-N", "-d", f"sql:{folder}", "--empty-password"], check=True, timeout=30)
    return folder
