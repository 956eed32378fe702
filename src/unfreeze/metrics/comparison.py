"""Two classifiers on the same images: how much better is the second, and how sure is that?"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float
from scipy.special import ndtri, stdtrit

from unfreeze.core.records import Interval
from unfreeze.metrics.grouping import Units, resampled_means, units


def paired_difference(
    first_correct: Bool[np.ndarray, " image"],
    second_correct: Bool[np.ndarray, " image"],
    groups: Sequence[str] | None = None,
    *,
    seed: int,
    level: float = 0.95,
    draws: int = 4000,
) -> tuple[float, Interval]:
    """Accuracy of the second minus that of the first, with a paired percentile bootstrap over images or groups.

    Pairing by image takes out what makes an image easy or hard for both. The variance over training sets is not in the
    interval. Three corrections keep it from claiming more than was seen:

    - Where nothing varies (the two are right and wrong on the same images) a bootstrap gives the interval [0, 0]. What
      was not seen in n independent units may still happen in up to 3 of n (the rule of three, Hanley & Lippman-Hand,
      JAMA 249, 1983), so the interval is 3/n to both sides.
    - Where few units differ the percentile bootstrap is too narrow: the interval is at least the normal one with one
      more unit gained and one more lost (Bonett & Price, J. Educ. Behav. Stat. 37, 2012).
    - Where very few units differ the percentile bootstrap is too sure: four images gained and none lost would count
      as sure, although four coins fall alike in one of eight tries. So 0 is left outside only if flipping the sign of
      each unit's difference by a coin rarely (less often than 1 - level) gives a difference this large; for images
      without groups that is McNemar's exact test.

    Args:
        first_correct: Whether each image was right with the first.
        second_correct: The same of the second.
        groups: Group of each image; "" is a group of its own.
        seed: Of the bootstrap's draws.
        level: Coverage wanted, a fraction.
        draws: Number of resampled sets.

    Returns:
        The difference and its interval, fractions in [-1, 1].

    Raises:
        InputError: There are no images, or not one group per image.
    """
    values = np.asarray(second_correct, np.float64) - np.asarray(first_correct, np.float64)
    difference, interval = _mean_difference(values, groups, seed=seed, level=level, draws=draws, largest=1.0)
    return difference, Interval(max(-1.0, interval.low), min(1.0, interval.high))


def difference_over_seeds(
    first: Float[np.ndarray, "seed image"],
    second: Float[np.ndarray, "seed image"],
    groups: Sequence[str] | None = None,
    *,
    seed: int,
    level: float = 0.95,
    draws: int = 4000,
    largest: float = 1.0,
) -> tuple[float, Interval]:
    """Compare two strategies on the user's own test folder, each trained with several seeds.

    What is estimated is the difference on images like these, between models trained *on this training part*, on average
    over seeds. **The variance over training sets is not in this interval.**

    The values are averaged over the seeds, and a paired bootstrap over images or groups gives an interval, as in
    `paired_difference`. The difference of each seed alone gives a standard error of the mean over seeds, with Student's
    t. The two are independent sources of chance: on either side the distances are added in quadrature (Zou & Donner,
    Statistics in Medicine 27, 2008). A single seed tells nothing of the variance over seeds, and none is added.

    Args:
        first: Value of every image with every seed of the strategy that is compared against (see `metric_values`).
        second: The same of the strategy that is asked about; seeds and images in the same order.
        groups: Group of each image; "" is a group of its own.
        seed: Of the bootstrap's draws.
        level: Coverage wanted, a fraction.
        draws: Number of resampled sets.
        largest: Difference that one image can make: see `unfreeze.metrics.repeated.largest_difference`.

    Returns:
        The mean difference, second minus first, and its interval, in the metric's unit.

    Raises:
        InputError: There are no images, or not one group per image.
    """
    differences = np.asarray(second, np.float64) - np.asarray(first, np.float64)
    difference, images = _mean_difference(
        differences.mean(axis=0), groups, seed=seed, level=level, draws=draws, largest=largest
    )
    number = len(differences)
    if number == 1:
        return difference, images
    error = float(differences.mean(axis=1).std(ddof=1)) / number**0.5
    seeds = float(stdtrit(number - 1, 0.5 + level / 2)) * error
    low, high = np.hypot(difference - images.low, seeds), np.hypot(images.high - difference, seeds)
    return difference, Interval(float(difference - low), float(difference + high))


def _mean_difference(
    values: Float[np.ndarray, " image"],
    groups: Sequence[str] | None,
    *,
    seed: int,
    level: float,
    draws: int,
    largest: float,
) -> tuple[float, Interval]:
    """Mean of the images' differences with its bootstrap interval, kept from claiming more than was seen."""
    resampled = units(values, groups)
    difference = float(resampled.counts @ resampled.totals / (resampled.counts @ resampled.sizes))
    if np.ptp(resampled.totals / resampled.sizes) == 0:
        unseen = 3 * largest / resampled.number
        low, high = difference - unseen, difference + unseen
    else:
        low, high = _bootstrap(resampled, seed=seed, level=level, draws=draws, largest=largest)
    return difference, _containing_zero_unless_sure(low, high, resampled, seed=seed, level=level, draws=draws)


def _bootstrap(resampled: Units, *, seed: int, level: float, draws: int, largest: float) -> tuple[float, float]:
    """Percentile interval, at least as wide as that with one more unit gained and one more lost.

    Exchanging first and second turns it around to the bit, as one of the two forms is used.
    """
    exchanged = _exchanged(resampled)
    forms = [[tuple(row) for row in np.stack(form, axis=1).tolist()] for form in (resampled, exchanged)]
    used = resampled if forms[0] >= forms[1] else exchanged
    means = resampled_means(used, seed=seed, draws=draws)
    low, high = (float(end) for end in np.quantile(means, [0.5 - level / 2, 0.5 + level / 2]))
    middle = float(used.counts @ used.totals / (used.counts @ used.sizes))
    half = float(ndtri(0.5 + level / 2)) * _standard_error(used, middle, largest=largest)
    low, high = min(low, middle - half), max(high, middle + half)
    if forms[0] == forms[1]:
        return (low - high) / 2, (high - low) / 2
    return (low, high) if used is resampled else (-high, -low)


def _standard_error(resampled: Units, mean: float, *, largest: float) -> float:
    """Of the mean over images (a ratio, where units have sizes), with one unseen unit gained and one lost."""
    number = resampled.number
    residuals = resampled.totals - mean * resampled.sizes
    mean_size = resampled.counts @ resampled.sizes / number
    between = resampled.counts @ residuals**2 / (number - 1) / mean_size**2
    return float(((between + 2 * largest**2 / number) / number) ** 0.5)


def _exchanged(resampled: Units) -> Units:
    """The units with first and second exchanged, in the order of `units`."""
    negated = Units(-resampled.totals[::-1], resampled.sizes[::-1], resampled.counts[::-1])
    order = np.lexsort((negated.sizes, negated.totals))
    return Units(*(column[order] for column in negated))


def _containing_zero_unless_sure(
    low: float, high: float, resampled: Units, *, seed: int, level: float, draws: int
) -> Interval:
    """The interval, stretched to 0 unless a sign-flip test rejects 0 as well."""
    if (low > 0 or high < 0) and _sign_flip_p(resampled, seed=seed, draws=draws) > 1 - level:
        low, high = min(low, 0.0), max(high, 0.0)
    return Interval(float(low), float(high))


def _sign_flip_p(resampled: Units, *, seed: int, draws: int) -> float:
    """How often random signs give a total at least as far from 0 as the one seen."""
    sizes = np.abs(resampled.totals)
    distinct, kind_of = np.unique(sizes, return_inverse=True)
    numbers = np.bincount(kind_of, weights=resampled.counts).astype(np.int64)
    up = np.random.default_rng(seed).binomial(numbers, 0.5, size=(draws, len(distinct)))
    flipped = (2 * up - numbers) @ distinct
    seen = abs(float(resampled.counts @ resampled.totals))
    return float(np.mean(np.abs(flipped) >= seen - 1e-9))
