"""What is known of the machine, the daemon and the browsers when the checks begin. Values only; who looks is in `look.py`."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from devdns.system.report import Seen
from devdns.system.trust import Trust

Address = tuple[str, int]


class Answer(Struct, frozen=True):
    """What a resolver said: addresses, or why there are none; `ms` is how long it took."""

    addresses: tuple[str, ...] = ()
    failure: str = ""
    ms: float = 0.0


class Daemon(Struct, frozen=True):
    """The devdns of the state folder. `status` is what its API says (None: it does not answer), `record` what its supervisor wrote.

    `silence` says why the API does not answer; `detached` is True for one that keeps a log of its own.
    """

    running: bool = False
    status: dict[str, Any] | None = None
    record: dict[str, Any] = {}
    silence: str = ""
    detached: bool = False
    routes: tuple[dict[str, Any], ...] = ()
    leftovers: tuple[str, ...] = ()


class Listener(Struct, frozen=True):
    """An address that somebody else holds (`holder`) and devdns would have for `role` (dns, http, https).

    `chosen` is one that the user named: without it there is another to fall back on.
    """

    role: str
    address: Address
    holder: str
    chosen: bool = True


class Browser(Struct, frozen=True):
    """A browser's own idea of DNS: `mode` is `strict` (over HTTPS only), `first` (then the system's) or `off`; `place` is the file that says so.

    `excluded` are the domains that it asks the system for.
    """

    name: str
    place: str
    mode: str
    server: str = ""
    excluded: tuple[str, ...] = ()
    managed: bool = False


class Files(Struct, frozen=True):
    """The texts of the system's files, empty where there are none. `resolvers` are those of /etc/resolver, with their paths."""

    resolv_conf: str = ""
    nsswitch: str = ""
    hosts: str = ""
    resolved: str = ""
    resolvers: tuple[tuple[str, str], ...] = ()


class Authority(Struct, frozen=True):
    """The CA in the state folder: when it is valid (Unix time), whether it may sign for each zone, and what stores make of it.

    `once` are the stores that `devdns trust` had made trust it. `failure` says why the file is of no use.
    """

    failure: str = ""
    since: float = 0.0
    until: float = 0.0
    missing: tuple[str, ...] = ()
    trusts: tuple[Trust, ...] = ()
    once: frozenset[str] = frozenset()
    key_mode: int = 0


class Engine(Struct, frozen=True):
    """A Docker Engine: its address, who wanted it (`asked`), and why it cannot be reached, empty where it can."""

    url: str
    asked: bool = False
    failure: str = ""
    refused: bool = False


class Facts(Struct, frozen=True):
    """All of it. `name` is the name that was asked for; `vpns` are the links that are up and look like a VPN's."""

    version: str
    zones: tuple[str, ...]
    name: str
    platform: str = "linux"
    now: float = 0.0
    built: float = 0.0
    config: str = ""
    config_problem: str = ""
    state_dir: str = ""
    state_problem: str = ""
    daemon: Daemon = Daemon()
    busy: tuple[Listener, ...] = ()
    direct: Answer | None = None
    system: Answer = Answer()
    files: Files = Files()
    browsers: tuple[Browser, ...] = ()
    vpns: tuple[str, ...] = ()
    proxies: dict[str, str] = {}
    engine: Engine | None = None
    authority: Authority | None = None
    journal: tuple[Seen, ...] = ()
    journal_problem: str = ""
    installed: str = ""

    @property
    def suffixes(self) -> tuple[str, ...]:
        """What names of the zones end with."""
        return tuple(f".{zone}" for zone in self.zones)

    def ours(self, host: str) -> bool:
        """True for a zone and what is below it."""
        return host in self.zones or host.endswith(self.suffixes)
