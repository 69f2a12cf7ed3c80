"""Which Docker Engine: a host of the configuration, else DOCKER_HOST, else the current context, else a socket where engines put it.

Reads what the docker command reads (config.json and contexts) and connects to nothing.
"""

from __future__ import annotations

import hashlib
import os
import pwd
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from devdns.core.errors import DevdnsError
from devdns.providers.docker_container import LOCAL

SYSTEM_SOCKET = "/var/run/docker.sock"
#: Where engines put their socket, the first that exists counts: Docker, rootless, Docker Desktop, OrbStack, Colima, Rancher, Podman.
SOCKETS = (
    SYSTEM_SOCKET,
    "$XDG_RUNTIME_DIR/docker.sock",
    "~/.docker/run/docker.sock",
    "~/.docker/desktop/docker.sock",
    "~/.orbstack/run/docker.sock",
    "~/.colima/default/docker.sock",
    "~/.rd/docker.sock",
    "$XDG_RUNTIME_DIR/podman/podman.sock",
    "/run/podman/podman.sock",
)
PEM = ("ca.pem", "cert.pem", "key.pem")


class EngineLost(DevdnsError):
    """No Docker Engine to be had, or no longer: why, and what mends it."""


class Endpoint(Struct, frozen=True):
    """A Docker Engine's address. `pem` are CA, certificate and key where it speaks TLS; `named` false: nobody chose it."""

    url: str
    pem: tuple[str, str, str] | None = None
    verify: bool = True
    named: bool = True

    @property
    def socket(self) -> str:
        """The path of its Unix socket, empty when it has none."""
        return self.url.removeprefix("unix://") if self.url.startswith("unix://") else ""

    @property
    def machine(self) -> str:
        """Where its published ports are asked for."""
        name = urlsplit(self.url).hostname or LOCAL
        return LOCAL if name == "localhost" or _is_loopback(name) else name

    @property
    def is_here(self) -> bool:
        return self.machine == LOCAL


def endpoint(host: str | None, environ: Mapping[str, str]) -> Endpoint:
    """The engine that `host` (a URL, or None for the default one) means; raises `EngineLost` for what cannot be one."""
    if host:
        return _from_variables(host, environ)
    if environ.get("DOCKER_HOST"):
        return _from_variables(environ["DOCKER_HOST"], environ)
    folder = Path(environ.get("DOCKER_CONFIG") or _expanded("~/.docker", environ))
    context = environ.get("DOCKER_CONTEXT") or _json(folder / "config.json").get("currentContext") or "default"
    if context != "default":
        return _from_context(str(context), folder)
    places = [_expanded(place, environ) for place in SOCKETS]
    found = next((place for place in places if os.path.exists(place)), SYSTEM_SOCKET)  # noqa: PTH110 - Path.exists() raises where a folder is closed
    return Endpoint(f"unix://{found}", named=False)


def _from_variables(url: str, environ: Mapping[str, str]) -> Endpoint:
    """A URL as DOCKER_HOST holds it, with DOCKER_TLS_VERIFY and DOCKER_CERT_PATH beside it."""
    _check(url)
    folder = environ.get("DOCKER_CERT_PATH") or ""
    verify = bool(environ.get("DOCKER_TLS_VERIFY"))
    if url.startswith("unix:") or not (folder or verify):
        return Endpoint(url)
    where = folder or _expanded("~/.docker", environ)
    ca, cert, key = (str(Path(where) / name) for name in PEM)
    return Endpoint(url, (ca, cert, key), verify)


def _from_context(name: str, folder: Path) -> Endpoint:
    """A context as `docker context` stores it: a folder named by the SHA-256 of its name."""
    digest = hashlib.sha256(name.encode()).hexdigest()
    meta = _json(folder / "contexts" / "meta" / digest / "meta.json")
    docker = (meta.get("Endpoints") or {}).get("docker") or {}
    url = str(docker.get("Host") or "")
    if not url:
        raise EngineLost(f"Docker context {name!r} does not exist", "docker context ls shows those that do")
    _check(url)
    pem = [str(folder / "contexts" / "tls" / digest / "docker" / each) for each in PEM]
    there = all(Path(each).exists() for each in pem)
    return Endpoint(url, (pem[0], pem[1], pem[2]) if there else None, not docker.get("SkipTLSVerify"))


def _check(url: str) -> None:
    scheme = url.partition("://")[0]
    if scheme == "ssh":
        place = "/tmp/docker.sock"  # noqa: S108 # a line for the user to type
        mend = f"forward its socket: ssh -nNT -L {place}:{SYSTEM_SOCKET} {url.removeprefix('ssh://')}, and use unix://{place}"
        raise EngineLost(f"Docker host {url!r} is reached by ssh, which devdns does not speak", mend)
    if scheme not in ("unix", "tcp", "http", "https") or url == f"{scheme}://":
        raise EngineLost(
            f"Docker host {url!r} is not the URL of an engine",
            f"write it like unix://{SYSTEM_SOCKET} or tcp://127.0.0.1:2375",
        )


def _json(path: Path) -> dict[str, Any]:
    """A JSON object of Docker's own, empty when there is none to read."""
    try:
        found = msgspec.json.decode(path.read_bytes())
    except (OSError, msgspec.DecodeError):
        return {}
    return found if isinstance(found, dict) else {}


def _expanded(place: str, environ: Mapping[str, str]) -> str:
    """`~` and `$XDG_RUNTIME_DIR` filled in."""
    runtime = environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}"
    return place.replace("$XDG_RUNTIME_DIR", runtime).replace("~", _home(environ), 1)


def _home(environ: Mapping[str, str]) -> str:
    """The home of the user we are: under sudo HOME may still be root's, which we cannot enter once privileges are gone."""
    home = environ.get("HOME", "")
    if os.access(home, os.X_OK):
        return home
    try:
        return pwd.getpwuid(os.getuid()).pw_dir
    except KeyError:
        return home


def _is_loopback(name: str) -> bool:
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False
