"""Finds the trust stores of this machine and of one user's home; looks only, changes nothing, and runs no program."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from devdns.system.nss import CERTS
from devdns.system.trust_stores import CHROMIUM, DEBIAN, FEDORA, FIREFOX, FOLDERS, KEYCHAIN, MACOS, WINDOWS, Store

#: What tells a system apart where its folder of anchors is not there yet: its package may be missing.
MARKS = {DEBIAN: ("etc/debian_version",), FEDORA: ("etc/fedora-release", "etc/redhat-release")}

#: Below a home: folders whose subfolders are profiles of Firefox. Packages of other shapes keep homes of their own.
FIREFOX_FOLDERS = (
    ".mozilla/firefox",
    ".config/mozilla/firefox",
    "snap/firefox/common/.mozilla/firefox",
    ".var/app/org.mozilla.firefox/.mozilla/firefox",
    ".var/app/org.mozilla.firefox/config/mozilla/firefox",
    "Library/Application Support/Firefox/Profiles",
)

#: Below a home: the one store of Chromium, Chrome, Edge, Brave and Vivaldi, and those of packages with homes of their own.
CHROMIUM_STORE = ".pki/nssdb"
CHROMIUM_STORES = (
    CHROMIUM_STORE,
    "snap/chromium/current/.pki/nssdb",
    ".var/app/org.chromium.Chromium/.pki/nssdb",
    ".var/app/com.google.Chrome/.pki/nssdb",
    ".var/app/com.brave.Browser/.pki/nssdb",
)
CHROMIUM_PROGRAMS = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "microsoft-edge",
    "brave-browser",
    "vivaldi",
)
SBIN = ("/usr/local/sbin", "/usr/sbin", "/sbin")  # not on the path of users, and only looked at


def found(
    home: Path,
    environ: Mapping[str, str] = os.environ,
    *,
    root: Path = Path("/"),
    platform: str = sys.platform,
) -> tuple[Store, ...]:
    """Every store there is: the system's first, then the browsers' of `home`. What may not be read is not there."""
    return (*_system(environ, root, platform), *_firefox(home), *_chromium(home, environ, platform))


def _system(environ: Mapping[str, str], root: Path, platform: str) -> Iterator[Store]:
    if platform == "darwin":
        yield Store(MACOS, KEYCHAIN)
        return
    for kind, folders in FOLDERS.items():
        marks = (folders.anchors.lstrip("/"), *MARKS[kind])
        if any((root / mark).exists() for mark in marks):
            yield Store(kind, folders.anchors)
            break
    if program("certutil.exe", environ) and is_wsl(root):
        yield Store(WINDOWS, "Root")


def is_wsl(root: Path = Path("/")) -> bool:
    """True inside the Windows Subsystem for Linux."""
    try:
        return "microsoft" in (root / "proc/version").read_text(errors="replace").lower()
    except OSError:
        return False


def _firefox(home: Path) -> Iterator[Store]:
    for folder in FIREFOX_FOLDERS:
        for profile in _inside(home / folder):
            if _is_file(profile / CERTS):
                yield Store(FIREFOX, str(profile))


def _inside(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:
        return False


def _chromium(home: Path, environ: Mapping[str, str], platform: str) -> Iterator[Store]:
    """On macOS Chromium asks the keychain. A first store is made only where a Chromium is there to read it."""
    if platform == "darwin":
        return
    there = [home / each for each in CHROMIUM_STORES if _is_file(home / each / CERTS)]
    for folder in there:
        yield Store(CHROMIUM, str(folder))
    if home / CHROMIUM_STORE not in there and any(program(each, environ) for each in CHROMIUM_PROGRAMS):
        yield Store(CHROMIUM, str(home / CHROMIUM_STORE), present=False)


def program(name: str, environ: Mapping[str, str] = os.environ) -> str | None:
    """The path of a program, also of one that only root has on its path."""
    return shutil.which(name, path=os.pathsep.join((environ.get("PATH", os.defpath), *SBIN)))
