"""What went wrong with a Docker Engine, in words, with the mend: exceptions of the docker library, requests and the system."""

from __future__ import annotations

import errno
import grp
import os
import socket
import ssl
from http import HTTPStatus
from pathlib import Path
from typing import Any

import requests
from docker.errors import APIError, TLSParameterError

from devdns.core.written import clipped
from devdns.providers.docker_hosts import Endpoint, EngineLost

TLS_HINT = "check DOCKER_TLS_VERIFY and DOCKER_CERT_PATH"
URL_HINT = "check DOCKER_HOST or docker.hosts"
TO_A_GROUP = "give it to a group (dockerd --group docker)"
OWN_PODMAN = (
    "have one of your own (systemctl --user start podman.socket), or give it to a group (SocketGroup= in podman.socket)"
)
LET_THROUGH = "a socket filter must let GETs through: version, info, events, containers"


def lost(error: BaseException, at: Endpoint) -> EngineLost:
    """What went wrong with the engine, in words, with the mend."""
    cause = _bottom(error)
    return _from_system(cause, at) or _from_library(error, cause, at)


def said(text: object) -> str:
    """What a stranger said, as a piece of one clean line."""
    line = " ".join(str(text).split())
    return clipped(line if line.isprintable() else repr(line))


def _from_system(cause: OSError | None, at: Endpoint) -> EngineLost | None:
    """What the system said about the way to the engine."""
    if isinstance(cause, ssl.SSLError):
        return EngineLost(f"no TLS with Docker at {at.url}: {said(cause)}", TLS_HINT)
    if isinstance(cause, socket.gaierror):
        return EngineLost(f"no Docker Engine at {at.url}: no such host", URL_HINT)
    if isinstance(cause, ConnectionResetError | BrokenPipeError):
        return EngineLost(f"Docker at {at.url} closed the connection", "it is asked again by itself")
    code = cause.errno if cause else None
    if code == errno.ENOENT:
        return EngineLost(f"no Docker Engine at {at.url}: there is no such socket", "start Docker, or set docker.hosts")
    if code in (errno.EACCES, errno.EPERM):
        return EngineLost(f"{at.url} may not be opened: permission denied", _join(at.socket))
    if code in (errno.ECONNREFUSED, errno.ENOTSOCK, errno.EHOSTUNREACH, errno.ENETUNREACH):
        why = os.strerror(code)
        return EngineLost(f"no Docker Engine answers at {at.url}: {why}", "start Docker: systemctl start docker")
    return None


def _from_library(error: BaseException, cause: OSError | None, at: Endpoint) -> EngineLost:
    """What the docker library or requests made of an answer."""
    if isinstance(error, APIError) and error.status_code != HTTPStatus.NOT_FOUND:
        return EngineLost(f"Docker at {at.url} refuses: {said(error.explanation)}", LET_THROUGH)
    if (
        isinstance(error, requests.Timeout | TimeoutError)
        or isinstance(cause, TimeoutError)
        or "timed out" in str(error)
    ):
        return EngineLost(f"Docker at {at.url} does not answer in time", "look at its log: journalctl -u docker")
    if isinstance(error, TLSParameterError):
        return EngineLost(f"no TLS with Docker at {at.url}: its certificates are not there", TLS_HINT)
    return EngineLost(f"what answers at {at.url} is not a Docker Engine: {said(error)}", URL_HINT)


def _bottom(error: BaseException) -> OSError | None:
    """The system's error at the bottom of what requests and urllib3 wrapped around it."""
    seen: set[int] = set()
    queue: list[Any] = [error]
    while queue:
        each = queue.pop()
        if id(each) in seen or not isinstance(each, BaseException):
            continue
        seen.add(id(each))
        if isinstance(each, OSError) and not isinstance(each, requests.RequestException):
            return each
        queue += [each.__cause__, each.__context__, getattr(each, "reason", None), *each.args]
    return None


def _join(path: str) -> str:
    """How to be allowed to open the socket."""
    try:
        group = grp.getgrgid(Path(path).stat().st_gid).gr_name
    except (OSError, KeyError):
        return "ask its owner, or run devdns as a user who may"
    if group == "root":
        return f"it is root's alone: {OWN_PODMAN if 'podman' in path else TO_A_GROUP}"
    return f"join its group: sudo usermod -aG {group} $USER, then log in again"
