"""The routes as nginx configuration, for a file inside its `http` block: a server for each host, an upstream for each route. Pure.

What nginx cannot do (h2c, a path with odd characters), or what is no plain word here, is left out and named in a comment.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import Any

from msgspec import Struct

from devdns.exports.sites import HOST

#: All that may stand in a directive without quotes and mean nothing to nginx.
PREFIX = re.compile(r"(/[A-Za-z0-9._~-]+)*")
TARGET = re.compile(r"(https?)://([A-Za-z0-9.-]+:[0-9]{1,5}|\[[0-9A-Fa-f:.]+\]:[0-9]{1,5})")
SOCKET = re.compile(r"unix:(/[A-Za-z0-9._/-]+)")
FIELD = re.compile(r"[A-Za-z0-9.:\[\]-]+")
HEAD = """# Written by devdns export nginx
map $http_upgrade $devdns_connection {
  default upgrade;
  "" "";
}
"""


class Place(Struct, frozen=True):
    """One route: where its requests go, and how."""

    host: str
    prefix: str
    servers: tuple[str, ...]
    scheme: str
    strip: bool
    field: str


def nginx(rows: Iterable[Mapping[str, Any]], port: int) -> str:
    """The servers listen on 127.0.0.1 at this port; `rows` are routes of the API."""
    places, left_out = [], []
    for row in sorted(rows, key=lambda row: (str(row["host"]), str(row["prefix"]))):
        place = _place(row)
        if place:
            places.append(place)
        else:
            left_out.append(str(row["host"]) if HOST.fullmatch(str(row["host"])) else "a name that is none")
    lines = [f"# left out: {host}" for host in left_out]
    for number, place in enumerate(places):
        lines += [f"upstream devdns_{number} {{", *(f"  server {each};" for each in place.servers), "}"]
    for host, group in groupby(enumerate(places), key=lambda pair: pair[1].host):
        lines += ["server {", f"  listen 127.0.0.1:{port};", f"  server_name {host};"]
        for number, place in group:
            lines += _locations(number, place)
        lines.append("}")
    return HEAD + "".join(f"{line}\n" for line in lines)


def _place(row: Mapping[str, Any]) -> Place | None:
    """None for a route that cannot be told to nginx."""
    host, prefix, options = str(row["host"]), str(row["prefix"]), row.get("options") or {}
    found = [_server(str(each)) for each in row["targets"]]
    field = str(options.get("host") or "")
    fits = HOST.fullmatch(host) and PREFIX.fullmatch(prefix) and (not field or FIELD.fullmatch(field))
    schemes = {each[0] for each in found if each}
    if not fits or not found or None in found or len(schemes) != 1:
        return None
    servers = tuple(each[1] for each in found if each)
    return Place(host, prefix, servers, schemes.pop(), bool(options.get("strip")), field or "$http_host")


def _server(target: str) -> tuple[str, str] | None:
    if match := TARGET.fullmatch(target):
        return match[1], match[2]
    match = SOCKET.fullmatch(target)
    return ("http", f"unix:{match[1]}") if match else None


def _locations(number: int, place: Place) -> list[str]:
    """A prefix counts by whole segments: itself, and what is below it."""
    found = []
    for where in (f"= {place.prefix}", f"{place.prefix}/") if place.prefix else ("/",):
        found.append(f"  location {where} {{")
        if place.strip and place.prefix:
            found.append(f"    rewrite ^{re.escape(place.prefix)}/?(.*)$ /$1 break;")
        found += [
            f"    proxy_pass {place.scheme}://devdns_{number};",
            "    proxy_http_version 1.1;",
            "    proxy_buffering off;",
            "    client_max_body_size 0;",
            f"    proxy_set_header Host {place.field};",
            "    proxy_set_header Upgrade $http_upgrade;",
            "    proxy_set_header Connection $devdns_connection;",
            "    proxy_set_header X-Forwarded-For $remote_addr;",
            "    proxy_set_header X-Forwarded-Host $http_host;",
            "    proxy_set_header X-Forwarded-Proto $scheme;",
            "  }",
        ]
    return found
