"""People who answer as people do, made up: for power before the study, and to see that the estimators keep their promises.

A person has a leaning, an approach moves it, each statement of the SUS adds its own noise, and what comes out is rounded to
1 to 5. The scores are skewed and bounded as real ones are; nothing here is ever shown as an answer.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

PERSON, ITEM = 0.55, 0.95  # standard deviations on the scale of 1 to 5: scores then spread by about 17
WITHIN = 0.45  # what one person differs by from approach to approach, whatever the approach
Scores = NDArray[np.float64]


def sus_scores(means: NDArray[np.float64], random: np.random.Generator) -> Scores:
    """A SUS score for each mean agreement of 1 to 5 (already turned towards the system)."""
    items = means[..., None] + random.normal(0, ITEM, (*means.shape, 10))
    scores: Scores = (np.clip(np.rint(items), 1, 5) - 1).sum(axis=-1) * 2.5
    return scores


def paired_scores(people: int, shifts: tuple[float, float], random: np.random.Generator) -> tuple[Scores, Scores]:
    """Scores of the same people with two approaches; a shift of 0.1 moves the score by about 2."""
    leaning = random.normal(0, PERSON, people)
    first, second = (sus_scores(3 + shift + leaning + random.normal(0, WITHIN, people), random) for shift in shifts)
    return first, second
