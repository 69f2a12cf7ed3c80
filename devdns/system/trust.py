"""Whether a CA is trusted by a store of this machine: asked without root, without changing anything, and with a bound."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

from msgspec import Struct

from devdns.system import keychain, nss, windows
from devdns.system.certificate import Certificate, holds
from devdns.system.trust_stores import FOLDERS, MACOS, NSS, WINDOWS, Store

SECONDS = 5.0
Answer = Literal["trusted", "not trusted", "unknown"]


class Trust(Struct, frozen=True):
    """What a store makes of a CA, and why where that is not known."""

    store: Store
    answer: Answer
    reason: str = ""


def trusts(stores: Iterable[Store], certificate: Certificate) -> tuple[Trust, ...]:
    """What each of the stores makes of the CA, in their order."""
    return tuple(trusted(store, certificate) for store in stores)


def trusted(store: Store, certificate: Certificate) -> Trust:
    """What one store makes of the CA; never raises, and waits for a program at most `SECONDS`."""
    try:
        known = _asked(store, certificate)
    except (nss.Unreadable, OSError, subprocess.SubprocessError) as error:
        return Trust(store, "unknown", str(error))
    return Trust(store, "trusted" if known else "not trusted")


def _asked(store: Store, certificate: Certificate) -> bool:
    if store.kind in NSS:
        folder = Path(store.place)
        return (folder / nss.CERTS).exists() and nss.trusts(folder, certificate.der)
    if store.kind == MACOS:
        return keychain.listed(_said(keychain.listing()), certificate)
    if store.kind == WINDOWS:
        return windows.listed(_said(windows.listing(certificate)), certificate)
    bundle = Path(FOLDERS[store.kind].bundle)
    return bundle.is_file() and holds(bundle, certificate)


def _said(command: Sequence[str]) -> str:
    done = subprocess.run(command, capture_output=True, timeout=SECONDS, stdin=subprocess.DEVNULL, check=False)  # noqa: S603 - an argument list of ours
    return done.stdout.decode("utf-8", "replace")
