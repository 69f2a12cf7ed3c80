"""The settings in force, as frozen values. The parts that only follow control import this and no YAML."""

from __future__ import annotations

from msgspec import Struct

from devdns.core.holding import HOLD


class DockerConfig(Struct, frozen=True):
    """`docker:`; `enabled` None (auto) means: when a socket is there. `hosts` are DOCKER_HOST style URLs, empty for the default."""

    enabled: bool | None = None
    hosts: tuple[str, ...] = ()
    default_names: bool = True


class MdnsConfig(Struct, frozen=True):
    """`mdns:`."""

    enabled: bool = True
    default_names: bool = False
    allow_remote: bool = False


class DnsConfig(Struct, frozen=True):
    """`dns:`; `listen` None means the default listeners; `forward` is `off`, `system` or `ADDR:PORT`s; `allow` are networks."""

    listen: tuple[tuple[str, int], ...] | None = None
    forward: str | tuple[str, ...] = "off"
    allow: tuple[str, ...] = ()


class HttpConfig(Struct, frozen=True):
    """`http:`; `listen` None means the default listeners; `access_log` is a path, `-` for standard output, empty for none."""

    listen: tuple[tuple[str, int], ...] | None = None
    access_log: str = ""


class HttpsConfig(Struct, frozen=True):
    """`https:`; `listen` None means the default listeners, empty (`off`) none; `redirect`: who comes without TLS is sent there."""

    listen: tuple[tuple[str, int], ...] | None = None
    redirect: bool = False


class TlsConfig(Struct, frozen=True):
    """`tls:`; paths of a certificate and its key brought by the user."""

    cert: str | None = None
    key: str | None = None


class Config(Struct, frozen=True):
    """The settings in force, from defaults, file, environment and flags, later ones stronger.

    `hold` is how many seconds a route whose service is being restarted stays, and its requests wait, unless the route says otherwise.
    """

    zones: tuple[str, ...] = ("dev.test",)
    docker: DockerConfig = DockerConfig()
    mdns: MdnsConfig = MdnsConfig()
    dns: DnsConfig = DnsConfig()
    http: HttpConfig = HttpConfig()
    https: HttpsConfig = HttpsConfig()
    tls: TlsConfig = TlsConfig()
    workers: int = 1
    hold: float = HOLD
