"""Rows into scores: who is counted, who is not and why. The shape is that of `devdns study score --json`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from devdns_study import sus
from devdns_study.grades import adjective, grade
from devdns_study.responses import Response
from devdns_study.scales import raw_tlx, umux_lite

VERSION = 1
NO_CONSENT = "no consent"
NO_SUS = "SUS not answered"
TOO_FEW = f"more than {sus.MOST_MISSING} SUS items missing"


def exclusion(response: Response) -> str:
    """Why this row has no SUS score; empty when it has one."""
    if not response.consent:
        return NO_CONSENT
    if not any(answer is not None for answer in response.sus):
        return NO_SUS
    return TOO_FEW if sus.score(response.sus) is None else ""


def scored(response: Response) -> dict[str, Any]:
    """The scores of one row that is not excluded."""
    result = sus.score(response.sus)
    if result is None:
        raise ValueError(TOO_FEW)
    return {
        "participant": response.participant,
        "approach": response.approach,
        "sus": result.score,
        "usability": result.usability,
        "learnability": result.learnability,
        "grade": grade(result.score),
        "adjective": adjective(result.score),
        "umux_lite": umux_lite(response.umux),
        "tlx": raw_tlx(response.tlx),
        "missing": [f"sus{number}" for number in result.missing],
        "flags": list(result.flags),
        "synthetic": response.synthetic,
    }


def score_all(responses: Iterable[Response], withdrawn: int = 0) -> dict[str, Any]:
    """All rows, in the order given: `participants` with their scores, `excluded` with reasons, and the counts.

    `withdrawn` people have no rows any more, and are counted beside them.
    """
    rows, excluded = [], []
    for response in responses:
        if reason := exclusion(response):
            excluded.append({"participant": response.participant, "approach": response.approach, "reason": reason})
        else:
            rows.append(scored(response))
    return {
        "version": VERSION,
        "participants": rows,
        "excluded": excluded,
        "counts": {**_counts(rows, excluded), "withdrawn": withdrawn},
    }


def _counts(rows: Sequence[Mapping[str, Any]], excluded: Sequence[Mapping[str, str]]) -> dict[str, Any]:
    return {
        "rows": len(rows) + len(excluded),
        "scored": len(rows),
        "excluded": dict(sorted(Counter(row["reason"] for row in excluded).items())),
        "flagged": dict(sorted(Counter(flag for row in rows for flag in row["flags"]).items())),
        "synthetic": sum(row["synthetic"] for row in rows),
    }
