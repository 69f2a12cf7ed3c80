"""The page of `/metrics` as Prometheus's own parser reads it."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

Series = tuple[str, frozenset[tuple[str, str]]]


def series(page: bytes) -> dict[Series, float]:
    """Every sample of the page by name and labels; none may be there twice, and none outside its family."""
    found: dict[Series, float] = {}
    for family in text_string_to_metric_families(page.decode()):
        assert family.type in ("counter", "gauge", "histogram"), family.name
        assert family.documentation, family.name
        for sample in family.samples:
            key = (sample.name, frozenset(sample.labels.items()))
            assert key not in found, key
            found[key] = sample.value
    return found


def value(page: bytes, name: str, **labels: str) -> float | None:
    """The value of one series, None where there is none."""
    return series(page).get((name, frozenset(labels.items())))
