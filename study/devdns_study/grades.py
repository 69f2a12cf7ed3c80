"""What a SUS score means beside other systems: the curved grade (Sauro & Lewis 2016) and the adjective (Bangor et al. 2009).

Both tables are published to one decimal and leave gaps (84.0 | 84.1). Here every score has one grade: the lower edge belongs
to the better grade, and nothing is rounded up to it. The adjective is the one whose published mean is nearest, the better
one at the same distance.
"""

from __future__ import annotations

#: Grade -> its lower edge, best first (Sauro & Lewis, Quantifying the User Experience, 2nd ed., 2016, chapter 8; also
#: Sauro, 5 ways to interpret a SUS score, 2018, https://measuringu.com/interpret-sus-score/).
GRADES = (
    ("A+", 84.1),
    ("A", 80.8),
    ("A-", 78.9),
    ("B+", 77.2),
    ("B", 74.1),
    ("B-", 72.6),
    ("C+", 71.1),
    ("C", 65.0),
    ("C-", 62.7),
    ("D", 51.7),
    ("F", 0.0),
)
#: Adjective -> the mean score of those who chose it, best first (Bangor, Kortum & Miller, Determining what individual SUS
#: scores mean, Journal of Usability Studies 4(3), 2009, 114-123, table 3).
ADJECTIVES = (
    ("Best imaginable", 90.9),
    ("Excellent", 85.5),
    ("Good", 71.4),
    ("OK", 50.9),
    ("Poor", 35.7),
    ("Awful", 20.3),
    ("Worst imaginable", 12.5),
)
DIGITS = 9  # means of floats: 84.1 may be 84.09999999999999


def grade(score: float) -> str:
    """The letter of a score of 0 to 100."""
    return next(letter for letter, edge in GRADES if round(score, DIGITS) >= edge)


def adjective(score: float) -> str:
    """The word of a score of 0 to 100."""
    return min(ADJECTIVES, key=lambda row: round(abs(row[1] - score), DIGITS))[0]
