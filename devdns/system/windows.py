"""The root store of the Windows user, from within WSL: the commands that trust a CA, take it back and look for it. Pure."""

from __future__ import annotations

from devdns.system.certificate import Certificate

Command = tuple[str, ...]


def add(certificate: str) -> tuple[Command, ...]:
    """Trusts the CA in a file, named as Windows names it; Windows itself asks its user once more."""
    return (("certutil.exe", "-user", "-addstore", "Root", certificate),)


def remove(thumbprint: str) -> tuple[Command, ...]:
    """Takes the CA of that SHA-1 thumbprint out again."""
    return (("certutil.exe", "-user", "-delstore", "Root", thumbprint),)


def listing(certificate: Certificate) -> Command:
    """Shows the CA if it is there."""
    return ("certutil.exe", "-user", "-store", "Root", certificate.thumbprint)


def listed(said: str, certificate: Certificate) -> bool:
    """True where the thumbprint is shown, in whatever language: in full, with or without gaps between its bytes."""
    return any(
        line.rpartition(":")[2].replace(" ", "").strip().upper() == certificate.thumbprint for line in said.splitlines()
    )


def path(linux: str) -> Command:
    """Asks how Windows names a file of Linux."""
    return ("wslpath", "-w", linux)
