"""Tables of answers for tests: written as a survey tool would, and marked as synthetic where they stand for people."""

from random import Random

SUS = tuple(f"sus{number}" for number in range(1, 11))
BEST = (5, 1) * 5
WORST = (1, 5) * 5


def csv_text(*rows, more=()):
    """A CSV file of rows (participant, approach, consent, sus answers, then the cells of the columns `more`)."""
    lines = [",".join(("participant", "approach", "consent", *SUS, *more))]
    for who, approach, consent, sus, *rest in rows:
        lines.append(",".join(map(str, (who, approach, consent, *sus, *rest))))
    return "\n".join(lines) + "\n"


def synthetic_rows(people=24, approaches=("devdns", "ports"), *, gap=0.5, seed=7):
    """Cells of made-up people who met every approach, each row marked as synthetic; the first approach is better by about `gap` points of 5."""
    random = Random(seed)
    for number in range(people):
        leaning = random.gauss(0, 0.5)
        for place, approach in enumerate(approaches):
            level = 3.9 - gap * place + leaning + random.gauss(0, 0.4)
            sus = tuple(_answer(random, level if item % 2 else 6 - level, 5) for item in range(1, 11))
            umux = tuple(_answer(random, level * 1.4, 7) for _ in range(2))
            tlx = tuple(5 * _answer(random, 14 - 2 * level, 20) for _ in range(6))
            passed = random.random() < 0.95 - 0.2 * place
            seconds = round(random.lognormvariate(4.2 + 0.5 * place, 0.4), 1)
            task = ("passed" if passed else "timeout", seconds if passed else 480, _answer(random, level * 1.4, 7))
            yield f"S{number + 1:02}", approach, "true", sus, *umux, *tlx, "true", *task


def _answer(random, middle, top):
    return min(top, max(1, round(random.gauss(middle, 0.9))))


MORE = (
    *(
        "umux1",
        "umux2",
        "tlx_mental",
        "tlx_physical",
        "tlx_temporal",
        "tlx_performance",
        "tlx_effort",
        "tlx_frustration",
    ),
    *("synthetic", "clash_outcome", "clash_seconds", "clash_seq"),
)


def synthetic_csv(*arguments, **options):
    """The same as a file."""
    return csv_text(*synthetic_rows(*arguments, **options), more=MORE)
