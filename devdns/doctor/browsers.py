"""Finds the browsers of a home and the policies of the machine, and reads what they say of DNS. Changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from devdns.core.plain_file import read_regular
from devdns.doctor import browser_settings as settings
from devdns.doctor.facts import Browser
from devdns.system.trust_find import FIREFOX_FOLDERS

MOST = 8 << 20
LOCAL_STATE = "Local State"
#: Browser -> the folders below a home that hold its `Local State`.
CHROMIUM_FOLDERS = {
    "Chromium": (
        ".config/chromium",
        "snap/chromium/common/chromium",
        ".var/app/org.chromium.Chromium/config/chromium",
        "Library/Application Support/Chromium",
    ),
    "Chrome": (
        ".config/google-chrome",
        ".var/app/com.google.Chrome/config/google-chrome",
        "Library/Application Support/Google/Chrome",
    ),
    "Brave": (
        ".config/BraveSoftware/Brave-Browser",
        ".var/app/com.brave.Browser/config/BraveSoftware/Brave-Browser",
        "Library/Application Support/BraveSoftware/Brave-Browser",
    ),
    "Edge": (".config/microsoft-edge", "Library/Application Support/Microsoft Edge"),
}
#: Browser -> the folders of the machine that hold its policies.
CHROMIUM_POLICIES = {
    "Chromium": ("etc/chromium/policies/managed", "etc/chromium-browser/policies/managed"),
    "Chrome": ("etc/opt/chrome/policies/managed",),
    "Brave": ("etc/brave/policies/managed",),
    "Edge": ("etc/opt/edge/policies/managed",),
}
FIREFOX_POLICIES = (
    "etc/firefox/policies/policies.json",
    "usr/lib/firefox/distribution/policies.json",
    "usr/lib/firefox-esr/distribution/policies.json",
    "Applications/Firefox.app/Contents/Resources/distribution/policies.json",
)


def found(home: Path, root: Path = Path("/")) -> tuple[Browser, ...]:
    """Every browser that says something, policies first."""
    return (*_policies(root), *_firefox(home), *_chromium(home))


def _policies(root: Path) -> Iterator[Browser]:
    for place in (root / each for each in FIREFOX_POLICIES):
        if said := settings.firefox_policy(str(place), _text(place)):
            yield said
    for name, folders in CHROMIUM_POLICIES.items():
        for path in (each for folder in folders for each in _inside(root / folder) if each.suffix == ".json"):
            if told := settings.chromium_policy(name, str(path), _text(path)):
                yield told


def _firefox(home: Path) -> Iterator[Browser]:
    for folder in FIREFOX_FOLDERS:
        for profile in _inside(home / folder):
            texts = [_text(profile / name) for name in ("prefs.js", "user.js")]
            if any(texts):
                yield settings.firefox(str(profile), texts)


def _chromium(home: Path) -> Iterator[Browser]:
    for name, folders in CHROMIUM_FOLDERS.items():
        for path in (home / folder / LOCAL_STATE for folder in folders):
            if text := _text(path):
                yield settings.chromium(name, str(path), text)


def _inside(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def _text(path: Path) -> str:
    try:
        return read_regular(path, MOST).decode("utf-8", "replace")
    except OSError:
        return ""
