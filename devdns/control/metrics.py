"""Figures in the Prometheus text format, control's own and those that its followers told. Values in, text out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from devdns.core.figures import Family, Sample

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})


def own(routes: int, generation: int, uptime: float, sources: Mapping[str, bool]) -> tuple[Family, ...]:
    """Control's; `sources` says of each whether it can be read."""
    ups = tuple(Sample(int(up), (("source", source),)) for source, up in sources.items())
    return (
        Family("devdns_routes", "gauge", "Routes in force.", (Sample(routes),)),
        Family("devdns_generation", "gauge", "Generation of the table of routes.", (Sample(generation),)),
        Family("devdns_uptime_seconds", "gauge", "Age of the control process.", (Sample(round(uptime, 3)),)),
        Family("devdns_source_up", "gauge", "1 while a source of routes can be read.", ups),
    )


def render(families: Iterable[Family]) -> str:
    """The whole page."""
    return "".join(line for family in families for line in _lines(family))


def _lines(family: Family) -> Iterator[str]:
    yield f"# HELP {family.name} {family.meaning.translate(ESCAPES)}\n# TYPE {family.name} {family.kind}\n"
    for sample in family.samples:
        labels = ",".join(f'{name}="{value.translate(ESCAPES)}"' for name, value in sample.labels)
        yield f"{family.name}{sample.suffix}{f'{{{labels}}}' if labels else ''} {sample.value}\n"
