"""The hosts file under killed writers, on a full disk, as a link and as a mount: what is not ours stays."""

from __future__ import annotations

import contextlib
import subprocess
from functools import partial
from pathlib import Path

import pytest
from support.hosts_torture import check, foreign, torture
from support.parts import need, need_root

from devdns.system import files, hosts, hosts_file
from devdns.system.journal import State

NAMES = ["api.dev.test", "web.dev.test"]
put = partial(hosts.with_block, owner="one", names=NAMES)
take = partial(hosts.without_block, owner="one")


def test_a_change_keeps_mode_and_owner_and_says_whether_there_was_one(tmp_path):
    path = tmp_path / "hosts"
    path.write_bytes(foreign(3))
    path.chmod(0o664)
    assert hosts_file.change(path, put)
    assert not hosts_file.change(path, put)
    assert path.stat().st_mode & 0o777 == 0o664
    assert hosts_file.change(path, take)
    assert path.read_bytes() == foreign(3)
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_is_followed_and_stays_one(tmp_path):
    (tmp_path / "there").mkdir()
    real, link = tmp_path / "there" / "hosts", tmp_path / "hosts"
    real.write_bytes(foreign(3))
    link.symlink_to("there/hosts")
    hosts_file.change(link, put)
    assert link.is_symlink()
    assert hosts.names_in(real.read_bytes(), "one") == tuple(NAMES)


def test_two_writers_that_are_killed(tmp_path):
    torture(tmp_path / "hosts", foreign(30, "\r\n"), changes=12, kills=3)


def test_what_somebody_wrote_without_the_lock_is_not_written_over(tmp_path):
    path = tmp_path / "hosts"
    path.write_bytes(b"127.0.0.1 localhost\n")
    rounds = []

    def slow(text):
        if not rounds:
            with path.open("ab") as file:
                file.write(b"10.0.0.1 theirs\n")
        rounds.append(1)
        return put(text)

    hosts_file.change(path, slow)
    assert take(path.read_bytes()) == b"127.0.0.1 localhost\n10.0.0.1 theirs\n"


@contextlib.contextmanager
def mounted(*command):
    """A mount, here: what the file system refuses cannot be had otherwise."""
    need("mount")
    need_root("a mount")
    subprocess.run(["mount", *map(str, command)], check=True, timeout=10)
    try:
        yield
    finally:
        subprocess.run(["umount", str(command[-1])], check=True, timeout=10)


def full(folder: Path, room: int) -> None:
    """Fills the disk but for `room` bytes, about."""
    with (folder / "ballast").open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(b"x" * 4096):
            pass
    with (folder / "ballast").open("r+b") as file:
        file.truncate((folder / "ballast").stat().st_size - room)


@pytest.mark.parametrize("room", [0, 4096, 8192])
def test_on_a_full_disk_nothing_is_lost(tmp_path, room):
    with mounted("-t", "tmpfs", "-o", "size=64k", "none", tmp_path):
        path = tmp_path / "hosts"
        path.write_bytes(foreign(100))
        full(tmp_path, room)
        many = partial(hosts.with_block, owner="one", names=[f"n{each}.dev.test" for each in range(400)])
        with pytest.raises(OSError, match="No space left"):
            hosts_file.change(path, many)
        assert path.read_bytes() == foreign(100)
        assert sorted(each.name for each in tmp_path.iterdir()) == ["ballast", "hosts"]


@pytest.fixture
def mount(tmp_path):
    """A hosts file that is a mount of its own, as in a container: it cannot be renamed over."""
    (tmp_path / "etc").mkdir()
    real, path = tmp_path / "hosts", tmp_path / "etc" / "hosts"
    real.write_bytes(b"")
    path.write_bytes(b"")
    with mounted("--bind", real, path):
        yield path


def test_a_mount_is_written_in_place(mount):
    mount.write_bytes(foreign(300))
    hosts_file.change(mount, put)
    hosts_file.change(mount, take)
    assert mount.read_bytes() == foreign(300)
    assert [each.name for each in mount.parent.iterdir()] == ["hosts"]
    files.replace(mount, b"another text", 0o644, None)
    assert mount.read_bytes() == b"another text"


def test_two_writers_of_a_mount_that_are_killed(mount):
    torture(mount, foreign(400), changes=12, kills=3)


@pytest.mark.parametrize("cut", [0, 1, 5000, 9000])
def test_a_writing_in_place_that_was_cut_off_is_finished_by_the_next(mount, cut):
    """As a kill in the middle of a write leaves it: the copy beside, and a part of the new text over the old."""
    old = foreign(400)
    new = b"10.9.9.9 moved\n" + put(old)
    mount.write_bytes(new[:cut] + old[cut:])
    safe = mount.with_name(f".{mount.name}{hosts_file.SAFE}")
    safe.write_bytes(hosts_file.HEAD.pack(len(old), len(new)) + old + new)
    hosts_file.change(mount, lambda text: text)
    assert mount.read_bytes() == (old if new[:cut] == old[:cut] else new)
    assert not safe.exists()


def test_a_new_file_that_a_killed_writer_left_goes_with_the_next_look(tmp_path):
    path = tmp_path / "hosts"
    path.write_bytes(foreign(3))
    path.with_name(f".hosts{files.FRESH}").write_bytes(b"half")
    hosts_file.change(path, take)
    files.restore(tmp_path / "other", State())
    (tmp_path / f".other{files.FRESH}").write_bytes(b"half")
    files.restore(tmp_path / "other", State())
    assert list(tmp_path.iterdir()) == [path]


def test_a_copy_that_was_cut_off_itself_means_nothing(mount):
    mount.write_bytes(foreign(3))
    mount.with_name(f".{mount.name}{hosts_file.SAFE}").write_bytes(b"\x05\0\0")
    check(mount, foreign(3))
    assert [each.name for each in mount.parent.iterdir()] == ["hosts"]
