"""Choosing a strategy on predictions that its splits held out, and what of its score is the luck of the choice."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from unfreeze.advisor.comparisons import Comparisons
from unfreeze.advisor.questions import Question
from unfreeze.core.records import Interval, Winner
from unfreeze.core.seeding import derive_seed
from unfreeze.core.strategies import StrategyId
from unfreeze.core.wording import count, difference, listed
from unfreeze.core.wording import standard_error as standard_error_in_words
from unfreeze.metrics.grouping import units
from unfreeze.metrics.selection_bias import corrected_winner, mean_by_image
from unfreeze.strategies.predictions import Measured, well_measured


@dataclass(frozen=True)
class Selection:
    """Which strategy to use.

    Attributes:
        picked: The strategy.
        because: A sentence or two.
    """

    picked: StrategyId
    because: str


def select_strategy(candidates: Sequence[Measured], comparisons: Comparisons) -> Selection | None:
    """From cheap to expensive: a strategy is kept if it gains more than one standard error over the one kept before.

    Not where it is settled that the gain is no larger than the margin: that much does not matter to the user.

    The one-standard-error rule (Breiman et al. 1984, "Classification and Regression Trees", section 3.4.3), pair by
    pair, so that each pair is compared on all splits that both of them ran on. The standard error is that of the paired
    difference over images, or over groups where they are given.

    Args:
        candidates: Cheapest first; those that were not measured or cannot be delivered are passed over, and those that
            ran on fewer splits than would give probabilities come last.
        comparisons: Metric, margin, labels and groups.

    Returns:
        The selection, or None if nothing was measured.
    """
    question = comparisons.question
    usable = [c for c in candidates if c.outcome.deliverable and comparisons.has_metric(c)]
    if not usable:
        return None
    # A lucky first split of a slow SVM must not become what all the others are compared with on that split alone.
    first = well_measured(usable)
    kept, *others = [*first, *(c for c in usable if c not in first)]
    because = f"Nothing gains more than one standard error over {kept.strategy.label}, the cheapest."
    within_margin: list[str] = []
    for other in others:
        gain, error, common = _gain(kept, other, question)
        if gain <= error:
            continue
        shown = difference(gain, question.metric)
        if comparisons.estimate(kept, other).answer in {"equivalent", "not worth it"}:
            within_margin.append(f"{other.strategy.label} ({shown})")
            continue
        because = (
            f"It gains {shown} over {kept.strategy.label} on {count(common, 'common split')}, more than one standard "
            f"error ({standard_error_in_words(error, question.metric)})."
        )
        kept, within_margin = other, []
    if within_margin:
        because += f" What {listed(within_margin)} gained over it is settled to be within your margin."
    return Selection(picked=kept.strategy, because=because)


def winner_of(measured: Sequence[Measured], comparisons: Comparisons) -> Winner | None:
    """The best score among what could be picked, with and without the optimism of having been chosen as the best.

    Args:
        measured: Candidates.
        comparisons: Metric and task.

    Returns:
        None below two strategies that were measured (those with fewer than five splits do not count beside others),
        and where all common splits test on the same single group.
    """
    question = comparisons.question
    among = well_measured([m for m in measured if m.outcome.deliverable and comparisons.has_metric(m)])
    if len(among) < 2:
        return None
    task, common = question.task, min(m.splits for m in among)
    rows = [p.split.test for p in among[0].predicted[:common]]
    values = [mean_by_image([p.values(question.metric, task) for p in m.predicted[:common]], rows) for m in among]
    tested = values[0][1]
    if len(np.unique(task.units[tested])) < 2:
        return None
    found = corrected_winner(
        np.stack([means for means, _ in values]), task.units[tested], seed=derive_seed(question.seed, "winner")
    )
    sign = -1.0 if question.metric == "log-loss" else 1.0  # shown as a loss, though larger was better here
    low, high = sorted((sign * found.interval.low, sign * found.interval.high))
    return Winner(
        strategy=among[found.winner].strategy,
        naive=sign * found.naive,
        corrected=sign * found.corrected,
        interval=Interval(low, high),
        among=len(among),
    )


def _gain(kept: Measured, other: Measured, question: Question) -> tuple[float, float, int]:
    """Mean gain on the common splits, its standard error, and how many splits they are."""
    task, common = question.task, min(kept.splits, other.splits)
    before, after = ([p.values(question.metric, task) for p in m.predicted[:common]] for m in (kept, other))
    tested = [str(unit) for p in kept.predicted[:common] for unit in task.units[p.split.test]]
    gain = float(np.mean([b.mean() - a.mean() for a, b in zip(before, after, strict=True)]))
    return gain, standard_error(_joined(after), _joined(before), tested), common


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
