"""Choosing a strategy on predictions that its splits held out, and what of its score is the luck of the choice."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from unfreeze.advisor.comparisons import Comparisons
from unfreeze.core.records import Interval, Winner
from unfreeze.core.seeding import derive_seed
from unfreeze.core.strategies import StrategyId
from unfreeze.core.wording import count, difference
from unfreeze.core.wording import standard_error as standard_error_in_words
from unfreeze.metrics.repeated import FEWEST_FOR_PROBABILITIES
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
    """The cheapest strategy that is no more than one standard error below the one with the best score.

    The one-standard-error rule (Breiman et al. 1984, "Classification and Regression Trees", section 3.4.3), pair by
    pair, so that each pair is compared on all splits that both of them ran on; the standard error is that of the paired
    difference.

    Args:
        candidates: Cheapest first; those that were not measured are passed over. One without a whole round of splits,
            where others have one, counts only if it is more than one standard error above the best of these, on two
            common splits at least.
        comparisons: Metric, margin, labels and groups.

    Returns:
        The selection, or None if nothing was measured.
    """
    usable = [c for c in candidates if comparisons.has_metric(c)]
    if not usable:
        return None
    # A lucky first split of a slow SVM must not become what all the others are compared with on that split alone.
    first = well_measured(usable)
    best = max(first, key=comparisons.mean_score)
    for other in usable:
        if other.splits >= FEWEST_FOR_PROBABILITIES and other not in first and not _is_near(best, other, comparisons):
            best = other
    among = [one for one in usable if one in first or one is best]
    kept = next(one for one in among if one is best or _is_near(one, best, comparisons))
    return Selection(picked=kept.strategy, because=_because(kept, best, among, comparisons))


def _is_near(one: Measured, best: Measured, comparisons: Comparisons) -> bool:
    """Whether what another one gains is within one standard error."""
    gain = comparisons.estimate(one, best)
    return gain.difference <= math.sqrt(gain.variance)


def _gain(one: Measured, best: Measured, comparisons: Comparisons) -> str:
    """What another one gains, with its standard error, in words."""
    gain, metric = comparisons.estimate(one, best), comparisons.question.metric
    error = standard_error_in_words(math.sqrt(gain.variance), metric)
    return f"{difference(gain.difference, metric)} (standard error {error}, {count(gain.splits, 'common split')})"


def _because(kept: Measured, best: Measured, among: Sequence[Measured], comparisons: Comparisons) -> str:
    if best is among[0] or comparisons.estimate(among[0], best).difference <= 0:
        return "It is the cheapest, and nothing scores better."
    if kept is not best:
        return (
            f"It is the cheapest within one standard error of {best.strategy.label}, which scores best and gains "
            f"{_gain(kept, best, comparisons)} over it."
        )
    next_best = max(among[: among.index(best)], key=comparisons.mean_score)
    return (
        f"It scores best, and gains {_gain(next_best, best, comparisons)} over the best of what is cheaper, "
        f"{next_best.strategy.label}."
    )


def winner_of(measured: Sequence[Measured], comparisons: Comparisons) -> Winner | None:
    """The best score among what could be picked, with and without the optimism of having been chosen as the best.

    Args:
        measured: Candidates.
        comparisons: Metric and task.

    Returns:
        None below two strategies that were measured (those without a whole round of splits do not count beside others),
        and where all common splits test on the same single group.
    """
    question = comparisons.question
    among = well_measured([m for m in measured if comparisons.has_metric(m)])
    if len(among) < 2:
        return None
    task, common = question.task, min(m.splits for m in among)
    rows = [p.split.test for p in among[0].predicted[:common]]
    values = [mean_by_image([p.weighted(question.metric, task) for p in m.predicted[:common]], rows) for m in among]
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
