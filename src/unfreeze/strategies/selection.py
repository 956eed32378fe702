"""Choosing a strategy on the train part alone."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from unfreeze.metrics.grouping import units
from unfreeze.strategies.experiment import Task
from unfreeze.strategies.measuring import NOT_PREDICTED, Measured


@dataclass(frozen=True, eq=False)
class Selection:
    """Which strategy to use.

    Attributes:
        picked: The strategy.
        because: One sentence.
        accuracies: Held-out accuracy of every candidate on the rows that all of them predicted, by name.
    """

    picked: Measured
    because: str
    accuracies: dict[str, float]


def select_strategy(candidates: Sequence[Measured], task: Task) -> Selection | None:
    """The cheapest strategy that is within one standard error of the best one on held-out rows.

    The one-standard-error rule (Breiman et al. 1984, "Classification and Regression Trees", section 3.4.3), with the
    standard error of the paired difference, and groups as units where they are given. The test part plays no role.

    Args:
        candidates: Cheapest first; those that were not measured or cannot be delivered are passed over.
        task: Labels and groups.

    Returns:
        The selection, or None if nothing was measured.
    """
    usable = [c for c in candidates if c.backbone is not None and (c.held_out != NOT_PREDICTED).any()]
    if not usable:
        return None
    rows = np.flatnonzero(np.all([c.held_out != NOT_PREDICTED for c in usable], axis=0))
    correct = [c.held_out[rows] == task.labels[rows] for c in usable]
    accuracies = [float(right.mean()) for right in correct]
    best = int(np.argmax(accuracies))
    groups = [task.groups[row] for row in rows]
    near = [
        accuracies[best] - a <= standard_error(correct[best], right, groups)
        for a, right in zip(accuracies, correct, strict=True)
    ]
    picked = near.index(True)
    names = [c.outcome.name for c in usable]
    because = f"On {len(rows):,} held-out training images {names[best]} is best ({accuracies[best]:.1%})"
    if picked == best:
        because += " and nothing cheaper comes within one standard error of it."
    else:
        because += f"; {names[picked]} ({accuracies[picked]:.1%}) is the cheapest within one standard error of it."
    return Selection(usable[picked], because, dict(zip(names, accuracies, strict=True)))


def standard_error(first: Bool[np.ndarray, " row"], second: Bool[np.ndarray, " row"], groups: Sequence[str]) -> float:
    """Standard error of the mean of `first` minus `second`, over groups."""
    difference: Float[np.ndarray, " row"] = first.astype(np.float64) - second
    counted = units(difference - difference.mean(), groups)
    return float(np.sqrt((counted.counts * counted.totals**2).sum()) / len(difference))
