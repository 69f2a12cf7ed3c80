"""Tables of answers for tests: written as a survey tool would, and marked as synthetic where they stand for people."""

SUS = tuple(f"sus{number}" for number in range(1, 11))
BEST = (5, 1) * 5
WORST = (1, 5) * 5


def csv_text(*rows, more=()):
    """A CSV file of rows (participant, approach, consent, sus answers, then the cells of the columns `more`)."""
    lines = [",".join(("participant", "approach", "consent", *SUS, *more))]
    for who, approach, consent, sus, *rest in rows:
        lines.append(",".join(map(str, (who, approach, consent, *sus, *rest))))
    return "\n".join(lines) + "\n"
