"""Who may ask control what. Pure: the facts of a request in, a refusal in words or None out.

Whatever comes through the proxy is web origin: any page of the browser can send it, so the Host must be one of our own
names (rebinding), an Origin must be that very host (a sibling such as evil.dev.test is foreign), and a write needs the token.
"""

from __future__ import annotations

from collections.abc import Collection
from hmac import compare_digest

from msgspec import Struct

from devdns.core.names import Zones, parse_authority

READING = frozenset({"GET", "HEAD"})
JSON = "application/json"


class Asked(Struct, frozen=True):
    """The facts of a request. `host` and `origin` are the raw fields, None when absent; `scheme` is the proxy's word."""

    method: str
    hosts: tuple[str, ...]
    origin: str | None = None
    site: str = ""
    mode: str = ""
    content_type: str = ""
    authorization: str = ""
    scheme: str = "http"


class Gate(Struct, frozen=True):
    """The rules for web origin. `ports` are those the proxy listens on; empty means any."""

    zones: Zones
    ports: Collection[int]
    token: str

    def refusal(self, asked: Asked) -> str | None:
        """Why this request is refused, or None."""
        host = asked.hosts[0] if len(asked.hosts) == 1 else ""
        if not self._own(host, asked.scheme):
            return f"Host {', '.join(asked.hosts)!r} is not a name of devdns"
        if asked.origin is not None and asked.origin != f"{asked.scheme}://{host.lower()}":
            return f"Origin {asked.origin!r} is not {asked.scheme}://{host.lower()}"
        if asked.site in ("cross-site", "same-site") and asked.mode != "navigate":
            return f"a {asked.site} page may not ask"
        return None if asked.method in READING else self._write_refusal(asked)

    def _own(self, host: str, scheme: str) -> bool:
        found = parse_authority(host)
        if found is None or not self.zones.is_own(found[0]):
            return False
        port = found[1] if found[1] is not None else {"http": 80, "https": 443}.get(scheme)
        return not self.ports or port in self.ports

    def _write_refusal(self, asked: Asked) -> str | None:
        if asked.site in ("same-site", "cross-site"):
            return f"a {asked.site} page may not write"
        scheme, _, token = asked.authorization.partition(" ")
        if scheme.lower() != "bearer" or not compare_digest(token.strip().encode(), self.token.encode()):
            return "writing here needs 'Authorization: Bearer TOKEN' with the token of the state folder"
        if asked.method != "DELETE" and asked.content_type.partition(";")[0].strip().lower() != JSON:
            return f"a body must be {JSON}, not {asked.content_type or 'untyped'!r}"
        return None
