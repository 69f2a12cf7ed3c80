"""A part without a supervisor, as in a container: it binds its own sockets and finds control's on a shared volume."""

from __future__ import annotations

import atexit
import os
import re
from collections.abc import Mapping
from pathlib import Path

from devdns.core.errors import UsageRefused
from devdns.core.settings import Config
from devdns.listeners import Wanted, open_listeners
from devdns.process.inherit import Inherited
from devdns.process.parts import settings
from devdns.state_folder import NOBODY, StateFolder, User, sudo_caller, user_of

DNS_DEFAULT = ("127.0.0.1", 5300)
HTTP_DEFAULT = ("127.0.0.1", 8080)
HTTPS_DEFAULT = ("127.0.0.1", 8443)


def open_sockets(name: str, environ: Mapping[str, str]) -> tuple[Inherited, Mapping[str, str]]:
    """Binds what the part `name` needs; returns that and the variables with the user to become, when this is root.

    Raises `UsageRefused` when an address is not to be had.
    """
    config = settings(environ)
    if name == "control":
        os.chdir(_state_dir(environ))
        folder = StateFolder(environ)
        atexit.register(folder.release)
        return Inherited(folder.bind(), _listening(config)), dict(environ) | _run_as(folder.user)
    environ = dict(environ) | _beside_control(environ)
    roles = ("dns",) if name == "resolver" else ("http", "https")
    addresses = _listening(config)
    opened = open_listeners(Wanted(role, (address,)) for role in roles for address in addresses[role])
    return Inherited(opened.sockets, opened.addresses), environ


def _run_as(user: User | None) -> dict[str, str]:
    return {} if user is None else {"DEVDNS_RUN_AS": "{}:{}".format(*user)}


def _beside_control(environ: Mapping[str, str]) -> dict[str, str]:
    """For root: the user of control's folder, or `DEVDNS_RUN_AS`. The folder is entered, as that user may not walk to it."""
    if os.geteuid() != 0:
        return {}
    given, sockets = environ.get("DEVDNS_RUN_AS"), Path(environ.get("DEVDNS_SNAPSHOTS", "snapshots.sock"))
    if given and not re.fullmatch(r"[0-9]{1,9}:[0-9]{1,9}", given):
        raise UsageRefused(f"DEVDNS_RUN_AS is {given!r}, which is not UID:GID", "write it like 1000:1000")
    if not sockets.parent.is_dir():  # control comes later, and root's folder will be nobody's
        return {} if given else _run_as(sudo_caller(environ) or (NOBODY, NOBODY))
    os.chdir(sockets.parent)
    others = {f"DEVDNS_{name.upper()}": f"{name}.sock" for name in ("leaves", "web")}
    relative = {variable: Path(environ.get(variable, name)).name for variable, name in others.items()}
    relative["DEVDNS_SNAPSHOTS"] = sockets.name
    return relative if given else relative | _run_as(user_of(environ, Path()))


def _listening(config: Config) -> dict[str, tuple[tuple[str, int], ...]]:
    https = config.https.listen
    return {
        "dns": config.dns.listen or (DNS_DEFAULT,),
        "http": config.http.listen or (HTTP_DEFAULT,),
        "https": (HTTPS_DEFAULT,) if https is None else https,
    }


def _state_dir(environ: Mapping[str, str]) -> Path:
    folder = Path(environ["DEVDNS_STATE_DIR"])
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder
