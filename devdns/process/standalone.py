"""A part without a supervisor, as in a container: it binds its own sockets and finds control's on a shared volume."""

from __future__ import annotations

import atexit
import os
from collections.abc import Mapping
from pathlib import Path

from devdns.core.settings import Config
from devdns.listeners import Wanted, open_listeners
from devdns.process.inherit import Inherited
from devdns.process.parts import settings
from devdns.state_folder import StateFolder

DNS_DEFAULT = ("127.0.0.1", 5300)
HTTP_DEFAULT = ("127.0.0.1", 8080)


def open_sockets(name: str, environ: Mapping[str, str]) -> Inherited:
    """Binds what the part `name` needs; raises `UsageRefused` when an address is not to be had."""
    config = settings(environ)
    if name == "control":
        os.chdir(_state_dir(environ))
        folder = StateFolder(environ)
        atexit.register(folder.release)
        return Inherited(folder.bind(), _listening(config))
    role = "dns" if name == "resolver" else "http"
    opened = open_listeners(Wanted(role, (address,)) for address in _listening(config)[role])
    return Inherited(opened.sockets, opened.addresses)


def _listening(config: Config) -> dict[str, tuple[tuple[str, int], ...]]:
    return {"dns": config.dns.listen or (DNS_DEFAULT,), "http": config.http.listen or (HTTP_DEFAULT,)}


def _state_dir(environ: Mapping[str, str]) -> Path:
    folder = Path(environ["DEVDNS_STATE_DIR"])
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder
