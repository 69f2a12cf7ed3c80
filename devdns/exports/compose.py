"""A compose override that lets services use the names: the resolver or the hosts, and the CA. Pure.

Strings are written as JSON, which every YAML reader takes for what it is; `$` is doubled, or compose would put a variable in.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from devdns.exports.sites import Site

HEAD = "# Written by devdns export compose: docker compose -f compose.yaml -f this-file up\n"
CA, BUNDLE = "/etc/devdns/ca.pem", "/etc/devdns/ca-bundle.pem"
#: They add to a program's own CAs, or stand in the system's stead and get all of them.
VARIABLES = {
    "DENO_CERT": CA,
    "NODE_EXTRA_CA_CERTS": CA,
    "REQUESTS_CA_BUNDLE": BUNDLE,
    "SSL_CERT_FILE": BUNDLE,
}


class Reach(Struct, frozen=True):
    """How containers get at devdns: `gateway` is the address at their bridge where its resolver listens, empty for the engine's own way.

    `ca` and `bundle` are files of this machine, empty where there is no https.
    """

    gateway: str = ""
    ca: str = ""
    bundle: str = ""


def text(sites: Sequence[Site], services: Sequence[str], reach: Reach) -> str:
    """The override for these services of a project."""
    each = _service(sites, reach)
    body = {"services": dict.fromkeys(services, each)}
    left_out = [site.host for site in sites if site.is_wildcard]
    note = f"# not in it, since a hosts file knows no wildcards: {', '.join(left_out)}\n" if left_out else ""
    return HEAD + ("" if reach.gateway else note) + "".join(f"{line}\n" for line in _lines(body))


def _service(sites: Sequence[Site], reach: Reach) -> dict[str, Any]:
    known = [f"{site.host}:host-gateway" for site in sites if not site.is_wildcard]
    said: dict[str, Any] = {"dns": [reach.gateway]} if reach.gateway else {"extra_hosts": known}
    if reach.ca and reach.bundle:
        said["environment"] = VARIABLES
        said["volumes"] = [_mount(reach.ca, CA), _mount(reach.bundle, BUNDLE)]
    return said


def _mount(source: str, target: str) -> dict[str, Any]:
    return {"type": "bind", "source": source, "target": target, "read_only": True}


def _lines(value: dict[str, Any], depth: int = 0) -> list[str]:
    """A mapping in block style; what is in lists and at the ends is JSON."""
    lead, found = "  " * depth, []
    for key, each in value.items():
        if isinstance(each, dict):
            found += [f"{lead}{_quoted(key)}:", *_lines(each, depth + 1)]
        elif isinstance(each, list):
            found += [f"{lead}{_quoted(key)}:", *(f"{lead}  - {_quoted(row)}" for row in each)]
        else:
            found.append(f"{lead}{_quoted(key)}: {_quoted(each)}")
    return found


def _quoted(value: Any) -> str:
    if isinstance(value, str) and value.replace("_", "").isalnum() and value.isascii() and value.islower():
        return value if value not in WORDS else json.dumps(value)
    return json.dumps(value).replace("$", "$$")


WORDS = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})  # of YAML 1.1
