"""Numbers and sentences as a reader wants them."""

from __future__ import annotations

import math
from collections.abc import Sequence

from devdns_bench.report.samples import Sample
from devdns_bench.scenarios.base import Figure
from devdns_bench.statistics.comparisons import Comparison, compare, equivalent
from devdns_bench.statistics.intervals import Interval, Scale, interval
from devdns_bench.statistics.survival import median

OURS = "devdns"
CLAIM = 20  # runs from which an interval is claimed
TEST = 5  # runs from which groups are compared
MARGIN = 1.1  # set before anything was measured: what nobody would choose a tool for
PREFIXES = ((1.0, "", 1.0), (1e-3, "m", 1e3), (1e-6, "µ", 1e6))


def quantity(value: float, unit: str) -> str:
    """Three figures: 0.0123 s is 12.3 ms; counts are plain."""
    if math.isinf(value):
        return "never"
    if unit == "s" and value > 0:
        _, prefix, factor = next((each for each in PREFIXES if value >= each[0] * 0.9995), PREFIXES[-1])
        return f"{_three(value * factor)} {prefix}s"
    return (
        _three(value)
        if unit in {"requests", "commands", "files", "steps", "items", "queries", "share", "1/s"}
        else f"{_three(value)} {unit}"
    )


def _three(value: float) -> str:
    """Three figures, but whole numbers below a thousand as they are."""
    value = float(f"{value:.3g}")
    if value == round(value) and abs(value) < 1_000:
        return f"{value:.0f}"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.{2 - math.floor(math.log10(abs(value)))}f}"


def located(sample: Sample, figure: Figure, seed: int = 1) -> Interval | None:
    """The interval of a sample: of the median where runs were cut off, else of the mean, geometric on the log scale."""
    if not sample.values:
        return None
    if len(sample.finite) < len(sample.values):
        return median(sample.times)
    usable = figure.scale == "log" and min(sample.values) > 0
    return interval(sample.values, scale="log" if usable else "linear", seed=seed)


def shown(sample: Sample, figure: Figure) -> str:
    """A cell of a table: the estimate, and the interval (from 20 runs) or the range."""
    found = located(sample, figure)
    if found is None:
        return "none"
    middle = quantity(found.estimate, figure.unit)
    if found.n >= CLAIM and found.low < found.high:
        return f"{middle} [{quantity(found.low, figure.unit)}, {quantity(found.high, figure.unit)}]"
    low, high = min(sample.values), max(sample.values)
    return middle if low == high else f"{middle} ({quantity(low, figure.unit)} to {quantity(high, figure.unit)})"


def compared(every: Sequence[Sample], figure: Figure) -> dict[str, Comparison]:
    """Each approach against devdns, as one family; nothing where one of them has too few runs."""
    ours = next((sample for sample in every if sample.approach == OURS), None)
    if figure.better == "given" or ours is None or len(ours.values) < TEST:
        return {}
    others = [sample for sample in every if sample.approach != OURS and len(sample.values) >= TEST]
    pairs = [(ours.values, other.values) for other in others]
    scale: Scale = "log" if figure.scale == "log" and all(min(a) > 0 and min(b) > 0 for a, b in pairs) else "linear"
    found = compare(pairs, scale=scale)
    return {other.approach: each for other, each in zip(others, found, strict=True)}


def verdict(every: Sequence[Sample], approach: str, found: Comparison) -> str:
    """Different, equivalent (which needs an interval, so `CLAIM` runs, and a ratio), or neither, which is no claim."""
    if found.differs:
        return "different"
    values = {sample.approach: sample.values for sample in every}
    enough = min(len(values[OURS]), len(values[approach])) >= CLAIM
    if enough and found.scale == "log" and found.interval is not None:
        tested = equivalent(values[OURS], values[approach], MARGIN, scale="log")
        if tested.verdict == "equivalent":
            return f"equivalent within {MARGIN - 1:.0%}"
    return "no difference found"


def sentence(every: Sequence[Sample], figure: Figure) -> str:
    """What a picture shows, in words."""
    filled = [(sample, found) for sample in every if (found := located(sample, figure))]
    if not filled:
        return f"{figure.title}: no approach has a figure."
    if len({found.estimate for _, found in filled}) == 1 and all(len(set(sample.values)) == 1 for sample, _ in filled):
        return (
            f"{_capital(figure.title)}: {quantity(filled[0][1].estimate, figure.unit)} in every run of every approach."
        )
    if figure.better == "given":
        return f"{_capital(figure.title)}, which is given and no merit of an approach: {', '.join(f'{sample.title} {shown(sample, figure)}' for sample, _ in filled)}."
    best = (min if figure.better == "lower" else max)(filled, key=lambda each: each[1].estimate)
    equals = [sample.title for sample, found in filled if found.estimate == best[1].estimate]
    said = [
        f"{_capital(figure.title)}, {figure.better} is better: {', '.join(equals)} {'share' if len(equals) > 1 else 'has'} the best with {quantity(best[1].estimate, figure.unit)}."
    ]
    said += [
        f"devdns: {shown(sample, figure)}, n = {len(sample.values)}."
        for sample, _ in filled
        if sample.approach == OURS and sample is not best[0]
    ]
    return " ".join([*said, _differences(every, figure)]).strip()


def _differences(every: Sequence[Sample], figure: Figure) -> str:
    titles = {sample.approach: sample.title for sample in every}
    found = compared(every, figure)
    if not found:
        return f"Fewer than {TEST} runs: nothing is claimed."
    apart = [titles[name] for name, each in found.items() if each.differs]
    alike = [titles[name] for name, each in found.items() if not each.differs]
    said = f"Different from devdns (Mann-Whitney, Holm, 5 %): {', '.join(apart)}." if apart else ""
    return f"{said} No difference found: {', '.join(alike)}.".strip() if alike else said


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
