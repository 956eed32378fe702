"""Choosing a strategy on predictions that its splits held out."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from unfreeze.core.records import Metric
from unfreeze.metrics.grouping import units
from unfreeze.strategies.experiment import Task
from unfreeze.strategies.measuring import Measurement


@dataclass(frozen=True, eq=False)
class Selection:
    """Which strategy to use.

    Attributes:
        picked: The strategy.
        because: One sentence.
        best: The one with the best score.
        among: How many could have been picked.
    """

    picked: Measurement
    because: str
    best: Measurement
    among: int


def select_strategy(candidates: Sequence[Measurement], task: Task, metric: Metric) -> Selection | None:
    """The cheapest strategy that is within one standard error of the best one on common splits.

    The one-standard-error rule (Breiman et al. 1984, "Classification and Regression Trees", section 3.4.3), with the
    standard error of the paired difference over images, or over groups where they are given.

    Args:
        candidates: Cheapest first; those that were not measured or cannot be delivered are passed over.
        task: Labels and groups.
        metric: What decides.

    Returns:
        The selection, or None if nothing was measured.
    """
    usable = [c for c in candidates if c.outcome.deliverable and c.splits]
    if not usable:
        return None
    common = min(c.splits for c in usable)
    values = [[p.values(metric, task) for p in c.predicted[:common]] for c in usable]
    scores = [float(np.mean([one.mean() for one in mine])) for mine in values]
    best = int(np.argmax(scores))
    tested = [str(unit) for p in usable[0].predicted[:common] for unit in task.units[p.split.test]]
    near = [
        np.isfinite(score) and scores[best] - score <= standard_error(_joined(values[best]), _joined(mine), tested)
        for score, mine in zip(scores, values, strict=True)
    ]
    picked = near.index(True)
    said = [f"{c.name} ({_score(score, metric)})" for c, score in zip(usable, scores, strict=True)]
    because = f"On {common} common split{'' if common == 1 else 's'} {said[best]} is best"
    if picked == best:
        because += " and nothing cheaper comes within one standard error of it."
    else:
        because += f"; {said[picked]} is the cheapest within one standard error of it."
    return Selection(picked=usable[picked], because=because, best=usable[best], among=len(usable))


def _joined(values: Sequence[Float[np.ndarray, "..."]]) -> Float[np.ndarray, " row"]:
    joined: Float[np.ndarray, " row"] = np.concatenate(values)
    return joined


def _score(score: float, metric: Metric) -> str:
    return f"log-loss {-score:.3f}" if metric == "log-loss" else f"{score:.1%}"


def standard_error(
    first: Float[np.ndarray, " row"], second: Float[np.ndarray, " row"], units_of_rows: Sequence[str]
) -> float:
    """Standard error of the mean of `first` minus `second`, over units; a row that comes up twice is one unit."""
    difference: Float[np.ndarray, " row"] = first - second
    counted = units(difference - difference.mean(), units_of_rows)
    return float(np.sqrt((counted.counts * counted.totals**2).sum()) / len(difference))
