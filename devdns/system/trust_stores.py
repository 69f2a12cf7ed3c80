"""The places of a machine that say which CAs to trust, as a table of their kinds. Pure: nothing is looked up here."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct

DEBIAN, FEDORA, MACOS, WINDOWS, FIREFOX, CHROMIUM = "debian", "fedora", "macos", "windows", "firefox", "chromium"
NSS = (FIREFOX, CHROMIUM)
SYSTEM = (DEBIAN, FEDORA)
KEYCHAIN = "/Library/Keychains/System.keychain"


class Folders(Struct, frozen=True):
    """A system store of files: where a person puts a CA, the bundle that programs read, and what makes it anew."""

    anchors: str
    suffix: str
    bundle: str
    program: str


#: How the two families of Linux keep CAs of the machine's own.
FOLDERS = {
    DEBIAN: Folders(
        "/usr/local/share/ca-certificates", ".crt", "/etc/ssl/certs/ca-certificates.crt", "update-ca-certificates"
    ),
    FEDORA: Folders(
        "/etc/pki/ca-trust/source/anchors",
        ".pem",
        "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
        "update-ca-trust",
    ),
}

#: The program that changes each kind of store.
PROGRAMS = {
    DEBIAN: "update-ca-certificates",
    FEDORA: "update-ca-trust",
    MACOS: "security",
    WINDOWS: "certutil.exe",
    FIREFOX: "certutil",
    CHROMIUM: "certutil",
}

#: Where each program comes from, by the installer of the machine.
PACKAGES = {
    "certutil": {"apt-get": "libnss3-tools", "dnf": "nss-tools", "brew": "nss"},
    "update-ca-certificates": {"apt-get": "ca-certificates"},
    "update-ca-trust": {"dnf": "ca-certificates"},
}
INSTALLERS = {"apt-get": "sudo apt-get install", "dnf": "sudo dnf install", "brew": "brew install"}


class Store(Struct, frozen=True, order=True):
    """One store. `place` is the folder of an NSS store, else the place that the machine has one of.

    `present` is False for the store of a Chromium that has not made it yet.
    """

    kind: str
    place: str
    present: bool = True

    @property
    def needs_root(self) -> bool:
        """The machine's own store is root's; what is in a home folder is its user's."""
        return self.kind in (*SYSTEM, MACOS)

    @property
    def label(self) -> str:
        """The store in a few words, for people."""
        if self.kind == FIREFOX:
            return f"Firefox profile {Path(self.place).name}"
        return {
            DEBIAN: "system store (Debian)",
            FEDORA: "system store (Fedora)",
            MACOS: "system keychain (macOS)",
            WINDOWS: "Windows, this user's root store",
            CHROMIUM: "Chromium and its kin",
        }[self.kind]


def install_line(program: str, installers: tuple[str, ...]) -> str:
    """The command that brings a missing program, for the first of the machine's `installers` that has it; else in words."""
    packages = PACKAGES.get(program, {})
    for installer in installers:
        if installer in packages:
            return f"{INSTALLERS[installer]} {packages[installer]}"
    known = dict.fromkeys(packages.values())
    return f"install {program}" + (f" (package {' or '.join(known)})" if known else "")
