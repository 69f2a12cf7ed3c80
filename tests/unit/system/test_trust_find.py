"""Which stores a machine and a home have, from folders that look like theirs."""

from __future__ import annotations

import pytest

from devdns.system.trust_find import CHROMIUM_PROGRAMS, found
from devdns.system.trust_stores import CHROMIUM, DEBIAN, FEDORA, FIREFOX, MACOS, WINDOWS, Store


@pytest.fixture
def place(tmp_path):
    """(root, home, environ) of a machine with nothing on it; programs are looked for in the environ's PATH first."""
    for name in ("root", "home", "bin"):
        (tmp_path / name).mkdir()
    return tmp_path / "root", tmp_path / "home", {"PATH": str(tmp_path / "bin")}


def _touch(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(0o755)


def _kinds(root, home, environ, platform="linux"):
    """But a Chromium of the machine under test, which is found in its own places for programs."""
    return [store for store in found(home, environ, root=root, platform=platform) if store.present]


def test_an_empty_machine_has_no_store(place):
    assert _kinds(*place) == []


@pytest.mark.parametrize(
    ("file", "kind", "anchors"),
    [
        ("etc/debian_version", DEBIAN, "/usr/local/share/ca-certificates"),
        ("usr/local/share/ca-certificates/x.crt", DEBIAN, "/usr/local/share/ca-certificates"),
        ("etc/fedora-release", FEDORA, "/etc/pki/ca-trust/source/anchors"),
        ("etc/redhat-release", FEDORA, "/etc/pki/ca-trust/source/anchors"),
        ("etc/pki/ca-trust/source/anchors/README", FEDORA, "/etc/pki/ca-trust/source/anchors"),
    ],
)
def test_the_system_is_known_by_its_files(place, file, kind, anchors):
    root, home, environ = place
    _touch(root / file)
    assert _kinds(root, home, environ) == [Store(kind, anchors)]


def test_macos_has_its_keychain_and_no_store_of_chromium(place):
    root, home, environ = place
    _touch(home / ".pki/nssdb/cert9.db")
    _touch(home / "Library/Application Support/Firefox/Profiles/a.default/cert9.db")
    assert [store.kind for store in _kinds(root, home, environ, "darwin")] == [MACOS, FIREFOX]


def test_wsl_has_the_store_of_windows_too(place):
    root, home, environ = place
    _touch(root / "etc/debian_version")
    _touch(home.parent / "bin" / "certutil.exe")
    assert [store.kind for store in _kinds(root, home, environ)] == [DEBIAN]
    (root / "proc").mkdir()
    (root / "proc/version").write_text("Linux version 6.6.87.2-microsoft-standard-WSL2 (root@x)")
    assert [store.kind for store in _kinds(root, home, environ)] == [DEBIAN, WINDOWS]


def test_a_profile_of_firefox_is_a_folder_with_a_store_in_it(place):
    root, home, environ = place
    profiles = [
        ".mozilla/firefox/a.default",
        "snap/firefox/common/.mozilla/firefox/b.default",
        ".var/app/org.mozilla.firefox/.mozilla/firefox/c.default",
        ".config/mozilla/firefox/d.default",
    ]
    for profile in profiles:
        _touch(home / profile / "cert9.db")
    _touch(home / ".mozilla/firefox/profiles.ini")
    (home / ".mozilla/firefox/Crash Reports").mkdir()
    stores = _kinds(root, home, environ)
    assert {store.place for store in stores} == {str(home / profile) for profile in profiles}
    assert {store.kind for store in stores} == {FIREFOX}


def test_a_store_of_chromium_is_to_be_made_only_where_a_chromium_is(place):
    root, home, environ = place
    _touch(home.parent / "bin" / CHROMIUM_PROGRAMS[0])
    assert found(home, environ, root=root, platform="linux") == (
        Store(CHROMIUM, str(home / ".pki/nssdb"), present=False),
    )
    _touch(home / ".pki/nssdb/cert9.db")
    assert found(home, environ, root=root, platform="linux") == (Store(CHROMIUM, str(home / ".pki/nssdb")),)
