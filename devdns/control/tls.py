"""What control has for TLS, put together: the CA, the desk, the socket of the leaves, and what status and metrics tell of them.

Loads `cryptography`, so it is imported only where the proxy listens for https.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from time import time
from typing import Any

from devdns.control.desk import Desk
from devdns.control.leaves import Hosts, LeafServer
from devdns.control.signing import folder
from devdns.control.signing.authority import Authority
from devdns.control.signing.brought import Brought
from devdns.core.figures import Family, Sample
from devdns.core.leaves import Leaf
from devdns.core.names import Zones
from devdns.core.settings import Config

SOON = 14 * 86_400.0  # seconds: the user's certificate is renewed by somebody else, who may have forgotten

Json = dict[str, Any]


class LocalCa:
    """The CA in the state folder, which is the working directory: read, or made, when it is first asked for."""

    def __init__(self, zones: Zones, now: Callable[[], float]) -> None:
        self.authority: Authority | None = None
        self._zones = zones
        self._now = now

    def __call__(self) -> Authority:
        """Raises `UsageRefused` where what is there cannot be used."""
        if self.authority is None or self.authority.unfit(self._zones.names, self._now()):
            self.authority = folder.load(self._zones.names, self._now())
        return self.authority


class Tls:
    """The parts; `server` is started and stopped by control."""

    def __init__(self, config: Config, zones: Zones, hosts: Hosts, now: Callable[[], float] = time) -> None:
        own, self._now = brought(config, zones), now
        self._ca = LocalCa(zones, now)
        self._desk = Desk(zones, self._ca, now, own)
        self._own = own
        self.server = LeafServer(self._desk, hosts, own.signature if own else lambda: None)

    def shape(self) -> Json:
        """What the API tells: times are in ISO 8601, null for what there is not."""
        count, ends = self._desk.ends()
        return {
            "ca": _ca_shape(self._ca.authority) if self._ca.authority else None,
            "own": self._own_shape(self._desk.own) if self._desk.own else None,
            "leaves": {"count": count, "until": None if ends is None else stamp(ends)},
        }

    def problems(self) -> list[str]:
        """What a person should look at."""
        own, now = self._desk.own, self._now()
        found = [f"{self._desk.trouble}; the certificate read before stays in use"] if self._desk.trouble else []
        if own and own.until < now + SOON:
            word = "ended" if own.until < now else "ends"
            path = self._own.certificate if self._own else ""
            found.append(f"tls.cert {path!r} {word} on {stamp(own.until)[:10]} - renew it")
        return found

    def families(self) -> tuple[Family, ...]:
        """Figures for `/metrics`."""
        ca, own, counts = self._ca.authority, self._desk.own, self._desk.counts
        count, ends = self._desk.ends()
        ends_at = [("ca", ca.until if ca else None), ("own", own.until if own else None), ("leaf", ends)]
        samples = tuple(Sample(until, (("certificate", what),)) for what, until in ends_at if until is not None)
        return (
            Family("devdns_certificate_end_seconds", "gauge", "When a certificate ends, in Unix time.", samples),
            Family("devdns_leaves", "gauge", "Certificates signed and kept.", (Sample(count),)),
            Family("devdns_leaves_signed_total", "counter", "Certificates signed.", (Sample(counts.signed),)),
            Family("devdns_leaves_renewed_total", "counter", "Of these, those renewed.", (Sample(counts.renewed),)),
            Family("devdns_leaves_refused_total", "counter", "Names refused one.", (Sample(counts.refused),)),
        )

    def _own_shape(self, own: Leaf) -> Json:
        files = self._own
        return {
            "path": files.certificate if files else "",
            "names": list(own.names),
            "until": stamp(own.until),
            "problem": self._desk.trouble,
        }


def brought(config: Config, zones: Zones) -> Brought | None:
    """The user's certificate, if the settings name one."""
    cert, key = config.tls.cert, config.tls.key
    return Brought(cert, key, zones) if cert and key else None


def stamp(moment: float) -> str:
    """`2026-11-20T12:00:00Z`."""
    return datetime.fromtimestamp(int(moment), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _ca_shape(ca: Authority) -> Json:
    return {
        "path": str(Path.cwd() / folder.CERTIFICATE),
        "fingerprint": ca.fingerprint,
        "zones": list(ca.zones),
        "until": stamp(ca.until),
    }
