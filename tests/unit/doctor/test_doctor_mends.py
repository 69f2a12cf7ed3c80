"""Repairs that root makes in a folder of a user's."""

import os

import pytest

from devdns.core.errors import DevdnsError
from devdns.doctor.around import KEY
from devdns.doctor.mends import Mend, Place, apply


def mend(folder):
    apply([Mend(KEY, "chmod")], Place(folder, (), lambda: 0), print)


def test_a_key_that_others_can_read_is_closed(tmp_path):
    key = tmp_path / "ca.key"
    key.write_text("secret")
    key.chmod(0o644)
    mend(tmp_path)
    assert key.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("plant", [os.symlink, os.link])
def test_a_file_of_somebody_elses_is_not_closed_in_its_stead(tmp_path, plant):
    """Root would else close /etc/passwd to everybody."""
    state, other = tmp_path / "state", tmp_path / "passwd"
    state.mkdir()
    other.write_text("root")
    other.chmod(0o644)
    plant(other, state / "ca.key")
    with pytest.raises(DevdnsError, match="cannot be mended"):
        mend(state)
    assert other.stat().st_mode & 0o777 == 0o644
