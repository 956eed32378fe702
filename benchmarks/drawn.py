"""What rows of draws.jsonl say of a step: how often its interval holds the truth, and how often its answer is wrong."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from tables import Row


@dataclass(frozen=True, kw_only=True)
class DrawnStep:
    """What many studies said of one step, after some folds; shares are fractions.

    Attributes:
        studies: How many.
        covered: Share whose interval holds the truth, and `covered_error`, its Monte-Carlo standard error.
        width: Mean of half the interval over 1.96 true deviations; None where nothing ever differed.
        wrong: Share whose answer the truth contradicts.
    """

    studies: int
    covered: float
    covered_error: float
    width: float | None
    wrong: float


def drawn_step(mine: list[Row], step: str, splits: str) -> DrawnStep:
    """What the studies of a set said of a step after so many folds."""
    margin, left = mine[0]["margin"], left_by_drawing(mine)
    truth = float(np.mean([each for row in mine for each in row["steps"][step]["elsewhere"]]))
    said = [one for row in mine for one in row["steps"][step][splits]]
    differences, halves = np.array([one[0] for one in said]), np.array([one[1] for one in said])
    contradicted = {"worth it": truth <= margin, "not worth it": truth > margin, "equivalent": abs(truth) > margin}
    deviation = float(differences.std(ddof=1)) / left
    covered = float(np.mean(np.abs(differences - truth) / left <= halves))
    return DrawnStep(
        studies=len(said),
        covered=covered,
        covered_error=(covered * (1 - covered) / len(said)) ** 0.5,
        width=float(halves.mean() / (1.96 * deviation)) if deviation else None,
        wrong=float(np.mean([contradicted.get(one[2], False) for one in said])),
    )


def left_by_drawing(mine: list[Row]) -> float:
    """By what drawing without replacement makes an estimate's deviation smaller."""
    return float((1 - mine[0]["images"] / mine[0]["of"]) ** 0.5)


def drawn_ends(mine: list[Row], step: str) -> tuple[float, float]:
    """Shares of the studies that end above and below the truth when they stop at the first interval without it."""
    truth = float(np.mean([each for row in mine for each in row["steps"][step]["elsewhere"]]))
    looks = [key for key in mine[0]["steps"][step] if key != "elsewhere"]
    said = [[one for row in mine for one in row["steps"][step][splits]] for splits in looks]
    above, below = ends_when_stopping(said, truth, left_by_drawing(mine))
    return float(above.mean()), float(below.mean())


def ends_when_stopping(said: list[list[list[Any]]], truth: float, left: float) -> tuple[np.ndarray, np.ndarray]:
    """Which studies end above the truth, and which below, that stop at the first interval that leaves it out.

    Args:
        said: At every look, difference and half the interval of every study.
        truth: That the margin is set to.
        left: As `left_by_drawing` says.
    """
    away = np.array([[(one[0] - truth) / left for one in look] for look in said])
    halves = np.array([[one[1] for one in look] for look in said])
    ends = np.where(np.abs(away) > halves, np.sign(away), 0)
    first = ends[np.argmax(ends != 0, axis=0), np.arange(ends.shape[1])]
    return first > 0, first < 0
