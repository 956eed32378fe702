"""Intervals of an accuracy: what the same trained model would reach on other images like these."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool
from scipy.special import ndtri

from unfreeze.core.records import Interval
from unfreeze.metrics.grouping import resampled_means, units


def wilson(right: float, number: int, *, level: float = 0.95) -> Interval:
    """Wilson's score interval of a proportion.

    It keeps its promise for few images and near 0 and 1, where the textbook's plus-minus fails.

    Args:
        right: Number of successes; a part of one is allowed.
        number: Number of attempts, at least 1.
        level: Coverage wanted, a fraction.

    Returns:
        The interval, inside [0, 1].

    Example:
        >>> wilson(9, 10)
        Interval(low=0.5958499732047615, high=0.9821237869049271)

    Source:
        E. B. Wilson, JASA 22 (1927); recommended by Brown, Cai & DasGupta, Statistical Science 16 (2001).
    """
    z = float(ndtri(0.5 + level / 2))
    rate, shrink = right / number, 1 + z * z / number
    centre = (rate + z * z / (2 * number)) / shrink
    half = z / shrink * (rate * (1 - rate) / number + z * z / (4 * number * number)) ** 0.5
    # rounding alone would leave 1e-17 at the two ends
    low = 0.0 if right <= 0 else max(0.0, centre - half)
    high = 1.0 if right >= number else min(1.0, centre + half)
    return Interval(low, high)


def accuracy_interval(
    correct: Bool[np.ndarray, " image"],
    groups: Sequence[str] | None = None,
    *,
    seed: int,
    level: float = 0.95,
    draws: int = 4000,
) -> Interval:
    """Interval of an accuracy over images like these; the variance over training sets is not in it.

    Without groups it is Wilson's. With groups whole groups are resampled (percentile bootstrap over clusters, Field &
    Welsh, JRSS B 69, 2007), because images of one group are right and wrong together. Where that bootstrap has nothing
    to vary (every group has the same accuracy) it would claim certainty: Wilson's interval with one attempt per group
    takes its place.

    Args:
        correct: Whether each image was right.
        groups: Group of each image; "" is a group of its own.
        seed: Of the bootstrap's draws.
        level: Coverage wanted, a fraction.
        draws: Number of resampled sets.

    Returns:
        The interval, inside [0, 1].

    Raises:
        InputError: There are no images, or not one group per image.
    """
    resampled = units(np.asarray(correct, np.float64), groups)
    rate = float(np.mean(correct))
    if np.all(resampled.sizes == 1) or np.ptp(resampled.totals / resampled.sizes) == 0:
        return wilson(rate * resampled.number, resampled.number, level=level)
    low, high = np.quantile(resampled_means(resampled, seed=seed, draws=draws), [0.5 - level / 2, 0.5 + level / 2])
    return Interval(float(low), float(high))
