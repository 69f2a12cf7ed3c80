"""What to listen on: settings in, the supervisor's plan out. Decides candidates only; binding shows what is to be had.

Defaults are tried in turn, each listener alone: the real port first, then one that needs no rights. An address the user
wrote (flag, variable or file) is the only candidate and never falls back.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from devdns.core.config import Config

Address = tuple[str, int]

HTTP_PORTS = (80, 8080)
HTTPS_PORTS = (443, 8443)
HTTP_HOSTS = ("127.0.0.1", "::1")
DNS_FALLBACK = ("127.0.0.1", 5300)


def default_dns(platform: str) -> tuple[Address, ...]:
    """127.0.0.53 is loopback everywhere on Linux; macOS configures 127.0.0.1 alone."""
    return (("127.0.0.1" if platform == "darwin" else "127.0.0.53", 53), DNS_FALLBACK)


def listeners(config: Config, platform: str) -> list[dict[str, Any]]:
    """Rows of {role, candidates, optional}; an optional one may be missing where its address family does not exist."""
    return [
        *_dns(config, platform),
        *_web("http", config.http.listen, HTTP_PORTS),
        *_web("https", config.https.listen, HTTPS_PORTS),
    ]


def _dns(config: Config, platform: str) -> list[dict[str, Any]]:
    if config.dns.listen is None:
        return [_row("dns", default_dns(platform))]
    return [_row("dns", (address,)) for address in config.dns.listen]


def _web(role: str, listen: tuple[Address, ...] | None, ports: tuple[int, ...]) -> list[dict[str, Any]]:
    if listen is None:
        return [_row(role, tuple((host, port) for port in ports), optional=host == "::1") for host in HTTP_HOSTS]
    return [_row(role, (address,)) for address in listen]


def _row(role: str, candidates: tuple[Address, ...], *, optional: bool = False) -> dict[str, Any]:
    return {"role": role, "candidates": [list(address) for address in candidates], "optional": optional}


def plan(
    config: Config, *, state_dir: Path, config_path: Path | None, platform: str, debug: bool = False
) -> dict[str, Any]:
    """The whole plan, ready to be JSON in `DEVDNS_PLAN`."""
    return {
        "state_dir": str(state_dir),
        "config": str(config_path) if config_path else None,
        "workers": config.workers,
        "debug": debug,
        "listeners": listeners(config, platform),
    }
