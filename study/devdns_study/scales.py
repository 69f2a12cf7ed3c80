"""The short scales beside the SUS: UMUX-Lite and raw NASA-TLX. Answers in, a score of 0 to 100 or None out."""

from __future__ import annotations

from devdns_study.responses import TLX_ITEMS, Answers

#: Lewis, Utesch & Maher, CHI 2013, page 2101. It held on data of others (Lewis et al. 2015), but comes out below the SUS for
#: very usable systems (Lah, Lewis & Sumak 2020): good for comparing approaches, not for the grades of the SUS.
SLOPE, INTERCEPT = 0.65, 22.9


def umux_lite(answers: Answers) -> float | None:
    """Two answers of 1 to 7, on the SUS's scale by the published regression (22.9 to 87.9); None unless both are there."""
    if None in answers or len(answers) != 2:
        return None
    raw = sum(answer - 1 for answer in answers if answer is not None) * 100 / 12
    return round(SLOPE * raw + INTERCEPT, 4)


def raw_tlx(answers: Answers) -> float | None:
    """The plain mean of the six loads of 0 to 100, more being worse (Hart 2006); None unless all are there."""
    given = [answer for answer in answers if answer is not None]
    return round(sum(given) / len(given), 4) if len(given) == len(TLX_ITEMS) == len(answers) else None
