"""All facts of `devdns doctor`, brought together: from the API, the settings, the state folder and the machine."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from time import time
from typing import Any

import devdns
from devdns.cli import state
from devdns.cli.client import Client
from devdns.cli.plan import listeners
from devdns.cli.settings import find_config, read_settings
from devdns.core.config import Config
from devdns.core.errors import DevdnsError
from devdns.doctor import asking, browsers, look
from devdns.doctor.facts import Answer, Daemon, Engine, Facts, Listener
from devdns.ports import Kind, holder
from devdns.state_folder import RECORD, SOCKETS, refuse_foreign, sudo_caller

SECONDS = 3.0
LEFT = (RECORD, *(f"{each}.sock" for each in SOCKETS))
DOCKER_SOCKET = "/var/run/docker.sock"
KINDS: dict[str, Kind] = {"dns": "udp", "http": "tcp", "https": "tcp"}


def facts(state_dir: Path, config: Path | None) -> Facts:
    """Everything that the checks want to know; takes as long as the system's resolver does, at most some seconds."""
    path = config or find_config()
    settings, config_problem = _settings(path, state_dir)
    daemon = _daemon(state_dir)
    zones = tuple((daemon.status or {}).get("zones") or settings.zones)
    journal, journal_problem, hosts = look.changes(state_dir)
    name = hosts[0] if hosts else f"devdns.{zones[0]}"
    folder = home()
    return Facts(
        version=devdns.__version__,
        zones=zones,
        name=name,
        platform=sys.platform,
        now=time(),
        built=Path(devdns.__file__).stat().st_mtime,
        config=str(path or ""),
        config_problem=config_problem,
        state_dir=str(state_dir),
        state_problem=_state_problem(state_dir),
        daemon=daemon,
        busy=tuple(_busy(settings, daemon.status)),
        direct=direct(daemon.status, name),
        system=asking.system(name),
        files=look.files(),
        browsers=browsers.found(folder),
        vpns=look.vpns(),
        proxies=look.proxies(os.environ),
        engine=_engine(settings),
        authority=look.authority(state_dir, zones, folder, os.environ),
        journal=journal,
        journal_problem=journal_problem,
        installed=", ".join(each.key for each in journal),
    )


def _settings(path: Path | None, state_dir: Path) -> tuple[Config, str]:
    """The settings, or the defaults and what is wrong with them."""
    try:
        return read_settings(path, os.environ, state.installed(state_dir))[0], ""
    except DevdnsError as error:
        return Config(), str(error)


def _daemon(state_dir: Path) -> Daemon:
    record = state.record(state_dir)
    if not state.is_running(state_dir):
        left = look.leftovers(state_dir, LEFT)
        return Daemon(record=record, leftovers=left, detached=(state_dir / state.LOG).exists())
    client = Client(state_dir, SECONDS)
    try:
        status = client.ask("GET", "/api/v1/status")
        routes = client.ask("GET", "/api/v1/routes")["routes"]
    except DevdnsError as error:
        return Daemon(running=True, record=record, silence=str(error))
    return Daemon(running=True, status=status, record=record, routes=tuple(routes))


def direct(status: dict[str, Any] | None, name: str) -> Answer | None:
    """What the resolver that runs says; None where none does."""
    places = ((status or {}).get("listeners") or {}).get("dns") or []
    return asking.direct(name, (str(places[0][0]), int(places[0][1]))) if places else None


def _busy(settings: Config, status: dict[str, Any] | None) -> Iterator[Listener]:
    """Addresses that somebody else holds; systemd-resolved keeps its own, and is told where devdns listens instead."""
    ours = {(role, str(place[0]), int(place[1])) for role, place in _listening(status)}
    for row in listeners(settings, sys.platform):
        role, (host, port) = str(row["role"]), row["candidates"][0]
        chosen = len(row["candidates"]) == 1
        if (role, host, port) in ours or not port or (chosen and status is not None):
            continue
        held = holder(host, port, KINDS[role]) or ""
        if held and not held.startswith("systemd-resolve"):
            yield Listener(role, (host, port), held, chosen)


def _listening(status: dict[str, Any] | None) -> Iterator[tuple[str, list[Any]]]:
    for role, places in ((status or {}).get("listeners") or {}).items():
        yield from ((role, place) for place in places)


def _engine(settings: Config) -> Engine | None:
    if settings.docker.enabled is False:
        return None
    said = next(iter(settings.docker.hosts), "") or os.environ.get("DOCKER_HOST", "")
    if not said and not Path(DOCKER_SOCKET).exists() and not settings.docker.enabled:
        return None
    return asking.engine(said or f"unix://{DOCKER_SOCKET}", asked=bool(said or settings.docker.enabled))


def _state_problem(state_dir: Path) -> str:
    try:
        refuse_foreign(state_dir)
    except FileNotFoundError:
        return ""
    except OSError as error:
        return f"state folder {str(state_dir)!r} cannot be looked at: {error.strerror}"
    except DevdnsError as error:
        return str(error)
    return ""


def home() -> Path:
    """Whose browsers are meant: under sudo those of who called it."""
    import pwd  # noqa: PLC0415 - only root needs it

    caller = sudo_caller(os.environ) if os.geteuid() == 0 else None
    return Path(pwd.getpwuid(caller[0]).pw_dir) if caller else Path.home()
