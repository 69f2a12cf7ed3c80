"""What the report says about its own making; the same rules as in `study/protocol.md`, fixed before the first participant."""

from __future__ import annotations

from devdns_bench.statistics.intervals import BCA_FROM, BOOTSTRAP_FROM
from devdns_study.sus import MOST_MISSING

RULES = (
    "Rows without consent are counted and left out of everything. "
    f"A SUS item that was left out counts as the centre of its scale, as Brooke (1996) tells respondents to mark it; with more than "
    f"{MOST_MISSING} of ten left out there is no score. Who gave the same answer to all items is flagged as straight-lining: the row stays in, "
    "and the scores without flagged rows stand beside the others.",
    "Grades are those of the curved grading scale (Sauro & Lewis 2016): a score has the best grade whose lower edge it reaches, unrounded. "
    "The adjective is the one whose mean score (Bangor, Kortum & Miller 2009) is nearest. "
    "UMUX-Lite is on the scale of the SUS by its regression (Lewis, Utesch & Maher 2013), which comes out low for very usable systems "
    "(Lah, Lewis & Šumak 2020): it compares approaches, and gets no grade.",
    f"Means have Bayesian intervals below {BOOTSTRAP_FROM} values (prior: mean 68 and standard deviation 20 for the SUS, weighing as much "
    f"as one participant), studentised bootstrap intervals from {BOOTSTRAP_FROM} to {BCA_FROM - 1}, and BCa intervals from {BCA_FROM}. All are 95 %. "
    "Completion has adjusted Wald intervals. Times are taken on the log scale, over completed and uninterrupted runs.",
    "Comparisons are within people: p values by drawing signs of the differences, corrected by Holm within the primary family (SUS) "
    "and the secondary one (all others); d is Cohen's d of the differences by Hedges' correction.",
)
