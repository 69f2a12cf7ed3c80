"""`devdns control|resolver|proxy`: one part alone, as in a container; control's sockets are on a shared volume."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NoReturn

import click
import msgspec

from devdns.cli import state
from devdns.cli.launch import PYTHON
from devdns.cli.options import common, option
from devdns.cli.settings import find_config, read_settings
from devdns.core.errors import UsageRefused
from devdns.openssl import configured

SCHEME = "unix://"

_control = option(
    "--control",
    "where",
    metavar="unix:///PATH",
    help="Control's snapshots.sock, or the folder it is in.  [default: the state folder]",
)
_zone = option("--zone", metavar="ZONE", help="The zone whose names are answered.")
_dns = option("--dns", metavar="ADDR:PORT", help="Where the resolver listens.")
_http = option("--http", metavar="ADDR:PORT", help="Where the proxy listens.")
_https = option("--https", metavar="ADDR:PORT|off", help="Where the proxy speaks TLS.")


@click.command(short_help="Run control alone: sources, routes and the API.")
@_zone
@_dns
@_http
@_https
@common
def control(*, state_dir: Path, config: Path | None, **flags: str | None) -> NoReturn:
    """Run control alone: sources, routes and the API, on sockets in the state folder."""
    state.prepare(state_dir)
    _become("control", config, flags, {"DEVDNS_STATE_DIR": str(state_dir)})


@click.command()
@_control
@_dns
@common
def resolver(*, state_dir: Path, config: Path | None, where: str | None, **flags: str | None) -> NoReturn:
    """Run a resolver alone, which follows control's routes."""
    _become("resolver", config, flags, sockets(where, state_dir))


@click.command()
@_control
@_http
@_https
@common
def proxy(*, state_dir: Path, config: Path | None, where: str | None, **flags: str | None) -> NoReturn:
    """Run a proxy alone, which follows control's routes."""
    _become("proxy", config, flags, sockets(where, state_dir))


def sockets(where: str | None, state_dir: Path) -> dict[str, str]:
    """The variables that say where control's sockets are."""
    if where is not None and not where.startswith(SCHEME + "/"):
        raise UsageRefused(
            f"--control {where!r} is not a Unix socket", "write it like unix:///run/devdns/snapshots.sock"
        )
    path = Path(where.removeprefix(SCHEME)) if where else state_dir
    folder, snapshots = (path.parent, path) if path.suffix == ".sock" else (path, path / "snapshots.sock")
    return {
        "DEVDNS_SNAPSHOTS": str(snapshots),
        "DEVDNS_LEAVES": str(folder / "leaves.sock"),
        "DEVDNS_WEB": str(folder / "web.sock"),
    }


def _become(name: str, config: Path | None, flags: dict[str, str | None], variables: dict[str, str]) -> NoReturn:
    path = config or find_config()
    environ = dict(os.environ) | {f"DEVDNS_{flag.upper()}": value for flag, value in flags.items() if value is not None}
    settings, _ = read_settings(path, environ)
    environ |= variables | {"DEVDNS_STANDALONE": "true", "DEVDNS_SETTINGS": msgspec.json.encode(settings).decode()}
    environ |= {"DEVDNS_CONFIG": str(path)} if path else {}
    environ |= configured(environ) if name == "proxy" else {}
    os.execve(PYTHON[0], (*PYTHON, "devdns.process.child", name), environ)  # noqa: S606 - no shell is wanted
