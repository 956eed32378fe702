"""Choosing a strategy on predictions that its splits held out, and what of its score is the luck of the choice."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from unfreeze.advisor.phrases import difference
from unfreeze.advisor.steps import Question, comparable, estimate
from unfreeze.core.records import Interval, Metric, Winner
from unfreeze.core.seeding import derive_seed
from unfreeze.metrics.grouping import units
from unfreeze.metrics.selection_bias import corrected_winner, mean_by_image
from unfreeze.strategies.experiment import Task
from unfreeze.strategies.measuring import Measurement, well_measured


@dataclass(frozen=True, eq=False)
class Selection:
    """Which strategy to use.

    Attributes:
        picked: The strategy.
        because: A sentence or two.
    """

    picked: Measurement
    because: str


def select_strategy(candidates: Sequence[Measurement], question: Question) -> Selection | None:
    """From cheap to dear: a strategy is kept if it gains more than one standard error over the one kept before it.

    Not where it is settled that the gain is no larger than the margin: that much does not matter to the user.

    The one-standard-error rule (Breiman et al. 1984, "Classification and Regression Trees", section 3.4.3), pair by
    pair, so that each pair is compared on all splits that both of them ran on. The standard error is that of the paired
    difference over images, or over groups where they are given.

    Args:
        candidates: Cheapest first; those that were not measured or cannot be delivered are passed over, and those that
            ran on fewer splits than would give probabilities come last.
        question: Metric, margin, labels and groups.

    Returns:
        The selection, or None if nothing was measured.
    """
    task, metric = question.task, question.metric
    usable = [c for c in candidates if c.outcome.deliverable and c.splits and _has(c, metric, task)]
    if not usable:
        return None
    # A lucky first split of a slow SVM must not become what all the others are compared with on that split alone.
    first = well_measured(usable)
    usable = [*first, *(c for c in usable if c not in first)]
    kept, because = usable[0], f"Nothing gains more than one standard error over {usable[0].name}, the cheapest."
    within_margin: list[str] = []
    for dearer in usable[1:]:
        gain, error, common = _gain(kept, dearer, task, metric)
        if gain <= error:
            continue
        if estimate(question, kept, dearer).answer in {"equivalent", "not worth it"}:
            within_margin.append(f"{dearer.name} ({difference(gain, metric)})")
            continue
        splits = f"{common} common split{'' if common == 1 else 's'}"
        limit = f"{error:.3f}" if metric == "log-loss" else f"{100 * error:.1f}"
        because = (
            f"It gains {difference(gain, metric)} over {kept.name} on {splits}, more than one standard error ({limit})."
        )
        kept, within_margin = dearer, []
    if within_margin:
        because += f" What {' and '.join(within_margin)} gained over it is settled to be within your margin."
    return Selection(picked=kept, because=because)


def winner_of(question: Question, measured: Sequence[Measurement]) -> Winner | None:
    """The best score among what could be picked, with and without the optimism of having been chosen as the best.

    Args:
        question: Metric and task.
        measured: Candidates.

    Returns:
        None below two strategies that were measured (those with fewer than five splits do not count beside others),
        and where all common splits test on the same single group.
    """
    mine = well_measured([m for m in measured if m.outcome.deliverable and comparable(question, m, m)])
    if len(mine) < 2:
        return None
    task, common = question.task, min(m.splits for m in mine)
    rows = [p.split.test for p in mine[0].predicted[:common]]
    values = [mean_by_image([p.values(question.metric, task) for p in m.predicted[:common]], rows) for m in mine]
    tested = values[0][1]
    if len(np.unique(task.units[tested])) < 2:
        return None
    found = corrected_winner(
        np.stack([means for means, _ in values]), task.units[tested], seed=derive_seed(question.seed, "winner")
    )
    sign = -1.0 if question.metric == "log-loss" else 1.0  # shown as a loss, though larger was better here
    ends = sorted((sign * found.interval.low, sign * found.interval.high))
    return Winner(
        name=mine[found.winner].name,
        naive=sign * found.naive,
        corrected=sign * found.corrected,
        interval=Interval(*ends),
        among=len(mine),
    )


def _has(measured: Measurement, metric: Metric, task: Task) -> bool:
    """Whether it has the metric at all: an SVM has no log-loss."""
    return bool(np.isfinite(measured.predicted[0].values(metric, task)).all())


def _gain(kept: Measurement, dearer: Measurement, task: Task, metric: Metric) -> tuple[float, float, int]:
    """Mean gain on the common splits, its standard error, and how many splits they are."""
    common = min(kept.splits, dearer.splits)
    ours, theirs = ([p.values(metric, task) for p in m.predicted[:common]] for m in (kept, dearer))
    tested = [str(unit) for p in kept.predicted[:common] for unit in task.units[p.split.test]]
    gain = float(np.mean([b.mean() - a.mean() for a, b in zip(ours, theirs, strict=True)]))
    return gain, standard_error(_joined(theirs), _joined(ours), tested), common


def _joined(values: Sequence[Float[np.ndarray, "..."]]) -> Float[np.ndarray, " row"]:
    joined: Float[np.ndarray, " row"] = np.concatenate(values)
    return joined


def standard_error(
    first: Float[np.ndarray, " row"], second: Float[np.ndarray, " row"], units_of_rows: Sequence[str]
) -> float:
    """Standard error of the mean of `first` minus `second`, over units; a row that comes up twice is one unit."""
    difference: Float[np.ndarray, " row"] = first - second
    counted = units(difference - difference.mean(), units_of_rows)
    return float(np.sqrt((counted.counts * counted.totals**2).sum()) / len(difference))
