"""Which form a client wants an answer of ours in: the Accept field (RFC 9110 section 12.5.1), then what it calls itself. Pure."""

from __future__ import annotations

import re

HTML, JSON, PLAIN = "html", "json", "plain"
#: What each form is called in an Accept field.
NAMES = {"text/html": HTML, "application/xhtml+xml": HTML, "application/json": JSON, "text/plain": PLAIN}
WEIGHT = re.compile(r"[;\s]q\s*=\s*([01](?:\.[0-9]{0,3})?)\s*(?:;|$)", re.IGNORECASE)
MOST_READ = 2_000


def choose(accept: str, user_agent: str) -> str:
    """`html`, `json` or `plain`.

    The highest weight wins; between equals the type that is named beats one that a wildcard covers, the first named beats
    the next, and where nothing is named a browser gets HTML and every tool plain text.
    """
    weights = _weights(accept)
    usual = (HTML, PLAIN, JSON) if user_agent.startswith("Mozilla/") else (PLAIN, JSON, HTML)
    return max(usual, key=lambda form: weights.get(form, weights["*"]))


def _weights(accept: str) -> dict[str, tuple[float, int, int]]:
    """(weight, named or not, earliness) of each form in the field, and of all others under `*`."""
    found: dict[str, tuple[float, int, int]] = {"*": (0.0 if accept.strip() else 1.0, 0, 0)}
    ranges: dict[str, float] = {}
    for place, item in enumerate(accept[:MOST_READ].split(",")):
        name, weight = item.partition(";")[0].strip().lower(), _weight(item)
        form = JSON if name.endswith("+json") else NAMES.get(name)
        if form:
            found[form] = max(found.get(form, (weight, 1, -place)), (weight, 1, -place))
        elif name.endswith("/*"):
            ranges[name] = weight
    for name, form in NAMES.items():
        covered = ranges.get(name.partition("/")[0] + "/*", ranges.get("*/*"))
        if form not in found and covered is not None:
            found[form] = (covered, 0, 0)
    return found


def _weight(item: str) -> float:
    written = WEIGHT.search(item)
    return min(float(written[1]), 1.0) if written else 1.0
