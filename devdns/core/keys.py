"""`KEYS`, the one table of settings: parsing, variable names, the JSON Schema and the documentation come from it."""

from __future__ import annotations

from msgspec import Struct

from devdns.core import kinds, routes_file
from devdns.core.kinds import Kind, Schema


class Key(Struct, frozen=True):
    """One setting. `path` is empty for what only flags and variables say; `flag` is empty where there is none."""

    path: str
    variable: str
    kind: Kind
    default: str
    doc: str
    flag: str = ""


KEYS = (
    Key("zone", "DEVDNS_ZONE", kinds.ZONES, "dev.test", "the zone whose names devdns answers", "--zone"),
    Key("zones", "DEVDNS_ZONES", kinds.ZONES, "dev.test", "several zones, in place of zone; the first completes names"),
    Key("docker.enabled", "DEVDNS_DOCKER_ENABLED", kinds.AUTO, "auto", "auto: when a Docker Engine is there"),
    Key("docker.hosts", "DEVDNS_DOCKER_HOSTS", kinds.DOCKER_HOSTS, "[]", "Docker Engines; empty: DOCKER_HOST, the context, or the default socket"),
    Key("docker.default_names", "DEVDNS_DOCKER_DEFAULT_NAMES", kinds.PUBLISHED, "published", "published: a compose service without label and with one published port is service.project"),
    Key("mdns.enabled", "DEVDNS_MDNS_ENABLED", kinds.SWITCH, "true", "listen to mDNS announcements"),
    Key("mdns.default_names", "DEVDNS_MDNS_DEFAULT_NAMES", kinds.SWITCH, "false", "instance names become names, too"),
    Key("mdns.allow_remote", "DEVDNS_MDNS_ALLOW_REMOTE", kinds.SWITCH, "false", "services of other machines, too"),
    Key("dns.listen", "DEVDNS_DNS", kinds.LISTENERS, "127.0.0.53:53, else 127.0.0.1:5300", "where the resolver listens", "--dns"),
    Key("dns.forward", "DEVDNS_DNS_FORWARD", kinds.FORWARD, "off", "who answers names outside the zones"),
    Key("dns.allow", "DEVDNS_DNS_ALLOW", kinds.NETWORKS, "[]", "networks besides loopback that may ask"),
    Key("http.listen", "DEVDNS_HTTP", kinds.LISTENERS, "127.0.0.1:80 and [::1]:80, else 8080", "where the proxy listens", "--http"),
    Key("http.access_log", "DEVDNS_ACCESS_LOG", kinds.ACCESS_LOG, "off", "a line of JSON for every request: true for access.log in the folder of state, a file, or - for standard output"),
    Key("https.listen", "DEVDNS_HTTPS", kinds.HTTPS, "127.0.0.1:443 and [::1]:443, else 8443", "where the proxy speaks TLS, or off", "--https"),
    Key("https.redirect", "DEVDNS_HTTPS_REDIRECT", kinds.SWITCH, "false", "who comes to a name without TLS is sent to https, with 308"),
    Key("tls.cert", "DEVDNS_TLS_CERT", kinds.PATH, "null", "a certificate of your own, with tls.key"),
    Key("tls.key", "DEVDNS_TLS_KEY", kinds.PATH, "null", "its private key"),
    Key("hold", "DEVDNS_HOLD", kinds.SECONDS, "15s", "how long a route stays, and its requests wait, while its service restarts"),
    Key("workers", "DEVDNS_WORKERS", kinds.WORKERS, "1", "how many proxy processes", "--workers"),
    Key("", "DEVDNS_CONFIG", kinds.PATH, "devdns.yml, searched upwards", "the configuration file", "-c"),
    Key("", "DEVDNS_STATE_DIR", kinds.PATH, "$XDG_STATE_HOME/devdns", "the folder of state", "--state-dir"),
    Key("", "DEVDNS_DNS_LOG", kinds.PATH, "off", "a file, in the folder of state if relative, that gets a line of JSON for every DNS reply"),
    Key("", "DEVDNS_DETACH", kinds.SWITCH, "false", "return once it is ready", "--detach"),
    Key("", "DEVDNS_IN_PROCESS", kinds.SWITCH, "false", "all parts in one process, for debugging", "--in-process"),
    Key("", "DEVDNS_DEBUG", kinds.SWITCH, "false", "show tracebacks", "--debug"),
)  # fmt: skip
IN_FILE = {key.path: key for key in KEYS if key.path}
SECTIONS = {path.partition(".")[0] for path in IN_FILE if "." in path}
TOP = sorted({path.partition(".")[0] for path in IN_FILE} | {"routes"})


def schema() -> Schema:
    """The JSON Schema (2020-12) of devdns.yml."""
    top: Schema = {"routes": routes_file.schema() | {"description": "names and where they go"}}
    for key in IN_FILE.values():
        value = key.kind.schema
        if key.kind.many:
            value = {"anyOf": [value, {"type": "array", "items": value}]}
        described = {"description": f"{key.doc} (default: {key.default})", "anyOf": [value, {"type": "null"}]}
        section, dot, name = key.path.partition(".")
        if dot:
            closed: Schema = {"type": ["object", "null"], "properties": {}, "additionalProperties": False}
            top.setdefault(section, closed)["properties"][name] = described
        else:
            top[section] = described
    said: Schema = {"not": {"type": "null"}}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "devdns.yml",
        "type": ["object", "null"],
        "properties": top,
        "additionalProperties": False,
        "not": {"type": "object", "required": ["zone", "zones"], "properties": {"zone": said, "zones": said}},
    }
