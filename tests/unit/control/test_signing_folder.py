"""The CA's files: made once, private, and refused in one line with the mend when they are not what they should be."""

import os
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from support.parts import need_root

from devdns.control.signing.folder import load
from devdns.core.errors import UsageRefused

NOW = 1_800_000_000.0
ZONES = ("dev.test",)


@pytest.fixture
def folder(tmp_path):
    tmp_path.chmod(0o700)
    return tmp_path


def mode(path):
    return stat.S_IMODE(path.lstat().st_mode)


def test_it_is_made_once_and_the_key_is_private(folder):
    made = load(ZONES, NOW, folder)
    assert {each.name for each in folder.iterdir()} == {"ca.pem", "ca.key"}
    assert mode(folder / "ca.key") == 0o600
    assert load(ZONES, NOW + 86_400, folder).fingerprint == made.fingerprint


def test_the_key_is_private_whatever_the_umask(folder):
    before = os.umask(0)
    try:
        load(ZONES, NOW, folder)
    finally:
        os.umask(before)
    assert mode(folder / "ca.key") == 0o600


def test_a_new_zone_makes_another_ca_and_keeps_the_old_certificate_aside(folder):
    old = load(ZONES, NOW, folder)
    made = load(("dev.test", "shop.test"), NOW, folder)
    assert made.fingerprint != old.fingerprint
    assert made.zones == ("dev.test", "shop.test")
    aside = folder / f"ca-{old.fingerprint[:11].replace(':', '').lower()}.pem"
    assert aside.read_bytes() == old.pem()
    assert old.key_pem() not in [each.read_bytes() for each in folder.iterdir()]
    assert load(("shop.test",), NOW, folder).fingerprint == made.fingerprint  # it may sign for fewer


def test_one_at_its_end_is_replaced(folder):
    old = load(ZONES, NOW, folder)
    assert load(ZONES, old.until - 86_400, folder).fingerprint != old.fingerprint


def test_starts_at_once_make_one(folder):
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: load(ZONES, NOW, folder).fingerprint, range(16)))
    assert len(set(made)) == 1


def test_processes_at_once_make_one(folder):
    code = "from devdns.control.signing.folder import load; print(load(('dev.test',), 1.8e9).fingerprint)"
    started = [
        subprocess.Popen([sys.executable, "-c", code], cwd=folder, stdout=subprocess.PIPE, text=True) for _ in range(3)
    ]
    said = [process.communicate(timeout=60)[0].splitlines()[-1] for process in started]
    assert len(set(said)) == 1
    assert len(said[0]) == 95


def torn_certificate(folder):
    (folder / "ca.pem").write_bytes((folder / "ca.pem").read_bytes()[:100])
    return "ca.pem holds no certificate"


def torn_key(folder):
    (folder / "ca.key").write_bytes(b"")
    return "ca.key holds no key"


def no_key(folder):
    (folder / "ca.key").unlink()
    return "ca.key is missing"


def no_certificate(folder):
    (folder / "ca.pem").unlink()
    return "ca.pem is missing"


def anothers_key(folder):
    (folder / "other").mkdir(0o700)
    load(ZONES, NOW, folder / "other")
    (folder / "other" / "ca.key").replace(folder / "ca.key")
    return "ca.key is not the key of ca.pem"


def open_key(folder):
    (folder / "ca.key").chmod(0o640)
    return "others could read ca.key"


def linked_key(folder):
    (folder / "ca.key").rename(folder / "elsewhere")
    (folder / "ca.key").symlink_to(folder / "elsewhere")
    return "ca.key is a link"


def linked_certificate(folder):
    (folder / "ca.pem").rename(folder / "elsewhere")
    (folder / "ca.pem").symlink_to(folder / "elsewhere")
    return "ca.pem is a link"


def dangling_key(folder):
    (folder / "ca.key").unlink()
    (folder / "ca.key").symlink_to(folder / "nowhere")
    return "ca.key is a link"


def pipe(folder):
    (folder / "ca.key").unlink()
    os.mkfifo(folder / "ca.key", 0o600)
    return "ca.key is no plain file"


def a_folder(folder):
    (folder / "ca.pem").unlink()
    (folder / "ca.pem").mkdir()
    return "ca.pem is no plain file"


@pytest.mark.parametrize(
    "spoil",
    [
        torn_certificate,
        torn_key,
        no_key,
        no_certificate,
        anothers_key,
        open_key,
        linked_key,
        linked_certificate,
        dangling_key,
        pipe,
        a_folder,
    ],
)
def test_what_cannot_be_used_is_refused_in_one_line_and_left_alone(folder, spoil):
    load(ZONES, NOW, folder)
    why = spoil(folder)
    before = {each.name: each.lstat() for each in folder.iterdir()}
    with pytest.raises(UsageRefused) as refused:
        load(("other.test",), NOW, folder)  # not even another zone replaces it unasked
    line = str(refused.value)
    assert why in line
    assert str(folder) in line
    assert "remove ca.pem and ca.key" in line
    assert "\n" not in line
    after = {each.name: each.lstat() for each in folder.iterdir()}
    assert {name: facts.st_ino for name, facts in before.items()} == {n: f.st_ino for n, f in after.items()}


@pytest.mark.parametrize("bits", [0o770, 0o702])
def test_no_key_is_kept_where_others_can_write(folder, bits):
    folder.chmod(bits)
    with pytest.raises(UsageRefused, match=r"others can write there.*chmod 700"):
        load(ZONES, NOW, folder)
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("name", ["ca.key", "ca.pem", "."])
def test_what_belongs_to_somebody_else_is_refused(folder, name):
    need_root("to give a file away")
    load(ZONES, NOW, folder)
    os.chown(folder / name, 54321, 54321)
    with pytest.raises(UsageRefused, match=r"no plain file of this user|others can write there"):
        load(ZONES, NOW, folder)


def test_a_rest_of_a_start_that_was_killed_is_no_hindrance(folder):
    (folder / f".ca.key.{os.getpid()}").symlink_to(folder / "precious")
    load(ZONES, NOW, folder)
    assert {each.name for each in folder.iterdir()} == {"ca.pem", "ca.key"}


def test_a_file_that_cannot_be_made_is_told(folder):
    (folder / f".ca.key.{os.getpid()}").mkdir()
    with pytest.raises(UsageRefused, match=r"ca\.key' cannot be made: Is a directory"):
        load(ZONES, NOW, folder)
