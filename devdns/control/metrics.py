"""The page of `/metrics`: what control knows itself and what the other parts told, in the Prometheus text format. Values in, bytes out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from msgspec import Struct
from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4 as CONTENT_TYPE
from prometheus_client.registry import Collector

from devdns.control.sources import Source
from devdns.core.figures import Family, Sample
from devdns.core.routes import Route, State

__all__ = ["CONTENT_TYPE", "Facts", "page", "render"]


class Facts(Struct, frozen=True):
    """What control counts of its own. `processes` are rows of the API's status; `uptime` is in seconds."""

    routes: Iterable[Route]
    generation: int
    conflicts: int
    refusals: int
    uptime: float
    sources: Iterable[Source]
    processes: Iterable[Mapping[str, Any]]


def page(facts: Facts, told: Iterable[Family]) -> bytes:
    """The whole page: control's own figures, then those of the other parts."""
    return render((*own(facts), *told))


def own(facts: Facts) -> tuple[Family, ...]:
    """Control's own figures."""
    states = Counter(route.state for route in facts.routes)
    by_state = tuple(Sample(states[state], (("state", state.value),)) for state in State)
    return (
        Family("devdns_routes", "gauge", "Routes in force.", (Sample(states.total()),)),
        Family("devdns_routes_by_state", "gauge", "Routes in force, by what they can do now.", by_state),
        Family("devdns_generation", "gauge", "Generation of the table of routes.", (Sample(facts.generation),)),
        Family("devdns_conflicts", "gauge", "Claims that lost to another.", (Sample(facts.conflicts),)),
        Family("devdns_refusals", "gauge", "What sources name that cannot become a route.", (Sample(facts.refusals),)),
        Family("devdns_uptime_seconds", "gauge", "Age of the control process.", (Sample(round(facts.uptime, 3)),)),
        *_of_sources(list(facts.sources)),
        *_of_children(list(facts.processes)),
    )


def _of_sources(sources: list[Source]) -> Iterator[Family]:
    ups = tuple(Sample(int(each.state == "ok"), (("source", each.source),)) for each in sources)
    counts = tuple(Sample(each.routes, (("source", each.source),)) for each in sources)
    yield Family("devdns_source_up", "gauge", "1 while a source of routes can be read.", ups)
    yield Family("devdns_source_routes", "gauge", "Routes that a source states, those that lost included.", counts)


def _of_children(rows: list[Mapping[str, Any]]) -> Iterator[Family]:
    """Nothing where no supervisor is: then somebody else restarts the parts, and counts it."""
    if not rows:
        return
    labels = [(("child", str(each["name"])),) for each in rows]
    ups = tuple(Sample(int(each["state"] == "running"), label) for each, label in zip(rows, labels, strict=True))
    restarts = tuple(Sample(each["restarts"], label) for each, label in zip(rows, labels, strict=True))
    resident = tuple(Sample(each["rss"], label) for each, label in zip(rows, labels, strict=True) if each["rss"])
    yield Family("devdns_child_up", "gauge", "1 while a child process runs.", ups)
    yield Family("devdns_child_restarts_total", "counter", "Times a child process was started again.", restarts)
    yield Family("devdns_child_resident_bytes", "gauge", "Memory of a child process.", resident)


class _Told(Collector):
    """Families as the library's metrics."""

    def __init__(self, families: Iterable[Family]) -> None:
        self._families = families

    def collect(self) -> Iterator[Metric]:
        for family in self._families:
            # The library's name of a counter is without the suffix, which its text gets again.
            metric = Metric(family.name.removesuffix("_total"), family.meaning, family.kind)
            for sample in family.samples:
                labels = {name: _writable(value) for name, value in sample.labels}
                metric.add_sample(family.name + sample.suffix, labels, sample.value)
            yield metric


def _writable(text: str) -> str:
    """A path may hold bytes that are no UTF-8, which Python keeps as lone surrogates and nobody can write down."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def render(families: Iterable[Family]) -> bytes:
    """Families as text."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Told(families))
    return generate_latest(registry)
