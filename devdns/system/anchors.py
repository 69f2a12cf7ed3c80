"""The system store of a Linux: a file with our CA in the folder of anchors, and the program that makes the bundle anew."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from devdns.core.errors import DevdnsError
from devdns.core.plain_file import read_regular
from devdns.system.certificate import MOST_BYTES, in_pem
from devdns.system.journal import digest
from devdns.system.programs import alone, run
from devdns.system.trust_steps import Anchor, anchor_path
from devdns.system.trust_stores import DEBIAN, FOLDERS

MODE = 0o644
CONFIGURATION = Path("/etc/ca-certificates.conf")


def place_anchor(step: Anchor) -> None:
    """Writes the file, whole or not at all, and lets the system read it; raises `DevdnsError`."""
    path = Path(anchor_path(step))
    with alone(path.parent) as lock:
        if held(step) not in ("", step.certificate.fingerprint):
            raise DevdnsError(f"{path} is there and holds something else", "move it away")
        try:
            _write(path, step.certificate.pem)
        except OSError as error:
            raise DevdnsError(f"{path} cannot be written: {error.strerror}") from None
        run((FOLDERS[step.kind].program,), lock=lock)


def remove_anchor(step: Anchor) -> None:
    """Removes the file where it is ours, and everything the system made of it."""
    path = Path(anchor_path(step))
    with alone(path.parent) as lock:
        if held(step) not in ("", step.certificate.fingerprint):
            return
        path.unlink(missing_ok=True)
        if step.kind == DEBIAN:
            _renew_without(path, lock)
        else:
            run((FOLDERS[step.kind].program,), lock=lock)


def held(step: Anchor) -> str:
    """What is in our place: the fingerprint of our CA where it is that alone, else the file's digest; empty for nothing."""
    try:
        text = read_regular(Path(anchor_path(step)), MOST_BYTES)
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise DevdnsError(f"{anchor_path(step)} cannot be read: {error.strerror}") from None
    return step.certificate.fingerprint if in_pem(text) == [step.certificate.der] else digest(text)


def _write(path: Path, text: bytes) -> None:
    """By a new file beside it: a program that lists the folder at this instant never reads half of one."""
    fresh = path.with_name(f".{path.name}.new")
    fresh.unlink(missing_ok=True)
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, MODE), "wb") as file:  # noqa: PTH123 - a descriptor
        os.fchmod(file.fileno(), MODE)  # whatever the umask of root is, everybody reads it
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


def _renew_without(path: Path, lock: int) -> None:
    """Debian's program forgets a removed file's links, and tells its hooks (Java's store), only for what its list disowns.

    So it is given a copy of that list with our file disowned; the links it made for it go by hand if it was ended between.
    """
    with tempfile.NamedTemporaryFile("wb", prefix="devdns-", suffix=".conf") as copy:
        with suppress(FileNotFoundError):
            copy.write(CONFIGURATION.read_bytes())
        copy.write(f"\n!{path.name}\n".encode())
        copy.flush()
        run((FOLDERS[DEBIAN].program, "--certsconf", copy.name), lock=lock)
    made = {str(path), f"{path.stem}.pem"}
    for link in Path(FOLDERS[DEBIAN].bundle).parent.iterdir():
        if link.is_symlink() and str(link.readlink()) in made:
            link.unlink(missing_ok=True)
