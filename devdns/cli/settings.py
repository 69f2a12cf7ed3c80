"""Reads the configuration for the commands that need it: finds the file upwards, parses it, adds variables and flags."""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Mapping
from io import FileIO
from pathlib import Path
from types import MappingProxyType

from msgspec.structs import replace

from devdns.cli.state import here
from devdns.core import config as core
from devdns.core.errors import UsageRefused
from devdns.core.names import Zones
from devdns.core.written import MAX_TEXT

NAME = "devdns.yml"
MISNAMED = "devdns.yaml"
PIPE_SECONDS = 5.0


def find_config(start: Path | None = None, name: str = NAME) -> Path | None:
    """The nearest `devdns.yml` in `start` (the working directory) or above it, or None."""
    start = start or here()
    return next((each / name for each in (start, *start.parents) if _is_file(each / name)), None)


def mend_name(otherwise: str) -> str:
    """What helps when there is no `devdns.yml`: another name for the file that was meant, or `otherwise`."""
    found = find_config(name=MISNAMED)
    return f"{found} is there: rename it to {NAME}" if found else otherwise


def _is_file(path: Path) -> bool:
    """A folder above that may not be searched holds nothing for us."""
    try:
        return path.is_file()
    except PermissionError:
        return False


def read_file(path: Path, *, routes_only: bool = False) -> core.ConfigFile:
    """What the file says; raises `UsageRefused` when it cannot be read, `ConfigRefused` for what is in it."""
    try:
        data = read_bounded(path)
    except OSError as error:
        raise UsageRefused(
            f"config file {str(path)!r} cannot be read: {error.strerror}", "give another one with -c FILE"
        ) from None
    return core.parse(core.decode(data, str(path)), str(path), routes_only=routes_only)


def read_bounded(path: Path) -> bytes:
    """The bytes of a plain file, or of a pipe whose writer is there; at most `MAX_TEXT`. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if stat.S_ISDIR(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    with open(descriptor, "rb", buffering=0) as file:  # noqa: PTH123 - a descriptor, not a path
        found = os.fstat(descriptor)
        if stat.S_ISFIFO(found.st_mode):
            data = _of_pipe(file)
        elif not stat.S_ISREG(found.st_mode):
            raise OSError(errno.EINVAL, "it is neither a file nor a pipe")
        else:
            data = _most(file)
    if len(data) > MAX_TEXT:
        raise OSError(errno.EFBIG, f"it is over {MAX_TEXT} bytes long")
    return data


def _most(file: FileIO) -> bytes:
    """All of a file, and at most a little more than may be."""
    data = b""
    while len(data) <= MAX_TEXT and (piece := file.read(1 << 20)):
        data += piece
    return data


def _of_pipe(pipe: FileIO) -> bytes:
    """What comes until its writer closes it; raises OSError when that takes too long."""
    data, until = bytearray(), time.monotonic() + PIPE_SECONDS
    while time.monotonic() < until and len(data) <= MAX_TEXT:
        piece = pipe.read(1 << 16)
        if piece == b"" and data:
            return bytes(data)
        data += piece or b""
        if not piece:
            time.sleep(0.01)  # no writer is there yet, or it says nothing
    if len(data) > MAX_TEXT:
        return bytes(data)
    raise OSError(errno.ETIMEDOUT, f"nobody wrote all of it within {PIPE_SECONDS:.0f} s")


def read_settings(
    path: Path | None, environ: Mapping[str, str], installed: Mapping[str, str] = MappingProxyType({})
) -> tuple[core.Config, int]:
    """The settings in force and how many routes the file holds; raises with every problem of file, variables and flags.

    `installed` counts where none of them says anything.
    """
    file = read_file(path) if path else None
    config = _absolute(core.load(file, environ, installed))
    return config, len(core.routes(file, Zones(config.zones))) if file else 0


def _absolute(config: core.Config) -> core.Config:
    """The parts run in another folder than the command."""
    cert, key = (str(here() / path) if path else None for path in (config.tls.cert, config.tls.key))
    return replace(config, tls=core.TlsConfig(cert, key))


def warnings(path: Path, config: core.Config) -> list[str]:
    """What is right in the file and will not work as this machine is now: certificates and CA files that are not there."""
    routes = core.routes(read_file(path), Zones(config.zones))
    tls = {"tls.cert": config.tls.cert, "tls.key": config.tls.key}
    return [
        *(f"{key}: the file {name} is not there" for key, name in tls.items() if name and not Path(name).is_file()),
        *(
            f"{route.origin}: the CA file {route.options.ca} is not there"
            for route in routes
            if route.options.ca and not Path(route.options.ca).is_file()
        ),
    ]
