"""Control's figures in the Prometheus text format. Values in, text out."""

from __future__ import annotations

from collections.abc import Mapping

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def render(routes: int, generation: int, uptime: float, sources: Mapping[str, bool]) -> str:
    """The whole page; `sources` says of each whether it can be read."""
    rows = "".join(f'devdns_source_up{{source="{_escaped(source)}"}} {up:d}\n' for source, up in sources.items())
    return (
        _family("devdns_routes", "gauge", "Routes in force.", f"devdns_routes {routes}\n")
        + _family(
            "devdns_generation", "gauge", "Generation of the table of routes.", f"devdns_generation {generation}\n"
        )
        + _family(
            "devdns_uptime_seconds", "gauge", "Age of the control process.", f"devdns_uptime_seconds {uptime:.3f}\n"
        )
        + _family("devdns_source_up", "gauge", "1 while a source of routes can be read.", rows)
    )


def _family(name: str, kind: str, meaning: str, samples: str) -> str:
    return f"# HELP {name} {meaning}\n# TYPE {name} {kind}\n{samples}"


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
