"""Learning curves: what splits say of the scores at several training sizes, and a power law read a little beyond."""

from typing import Literal

import numpy as np
from jaxtyping import Float

from unfreeze.core.errors import InputError
from unfreeze.core.records import Interval

FURTHEST = 4  # times the images that there are: further than that nothing is promised
FEWEST_SIZES = 3  # a law through two sizes would be a guess that no third one checks
EXPONENTS = np.linspace(0.1, 1.5, 57)  # what measured exponents of error lie between (Hestness 2017, arXiv:1712.00409)
EXPONENT = 0.5  # where fewer than four sizes cannot carry three parameters
DRAWS = 2000
TAILS = (0.025, 0.975)  # of bands and ranges

Overtakes = Literal["already ahead", "within", "not within", "cannot tell"]


def mean_draws(
    scores: Float[np.ndarray, "split size"], *, least: Float[np.ndarray, " size"], test_fraction: float, seed: int
) -> Float[np.ndarray, "draw size"]:
    """What the expected scores may be, as the splits tell: draws of all sizes together.

    The rows of a multivariate t about the mean over the splits, with their covariance times 1/k + r/(1-r) for the
    overlap of k splits that test on a share r (Nadeau & Bengio 2003) and k - 1 degrees of freedom. Sizes move together
    as the splits did.

    Args:
        scores: Of each split at each size, between 0 and 1; at least two splits.
        least: What the variance between splits is at least, so that no mean is surer than its images allow; where the
            splits differ by less, the rest is drawn for each size by itself.
        test_fraction: Share of the images that a split tests on.
        seed: Of the draws.

    Returns:
        2,000 draws, none above 1 or below 0.

    Raises:
        InputError: There are fewer than two splits.
    """
    splits = len(scores)
    if splits < 2:
        msg = f"How far scores may be off is told by two splits at least; got {splits}. Measure a further one."
        raise InputError(msg)
    rng = np.random.default_rng(seed)
    centred = scores - scores.mean(axis=0)
    missing = np.maximum(0.0, least - scores.var(axis=0, ddof=1))
    moved = rng.standard_normal((DRAWS, splits)) @ centred / np.sqrt(splits - 1)
    moved += rng.standard_normal((DRAWS, scores.shape[1])) * np.sqrt(missing)
    tails = np.sqrt(rng.chisquare(splits - 1, (DRAWS, 1)) / (splits - 1))
    drawn = scores.mean(axis=0) + np.sqrt(inflation(splits, test_fraction)) * moved / tails
    possible: np.ndarray = np.clip(drawn, 0.0, 1.0)
    return possible


def inflation(splits: int, test_fraction: float) -> float:
    """What the variance between splits is multiplied by for that of their mean: 1/k + r/(1-r).

    Args:
        splits: Number of splits, k.
        test_fraction: Share of the images that a split tests on, r.

    Returns:
        A factor; it falls towards n_test / n_train with the number of splits, and no lower.

    Source:
        C. Nadeau & Y. Bengio, Inference for the generalization error, Machine Learning 52 (2003).
    """
    return 1 / splits + test_fraction / (1 - test_fraction)


def read_law(
    sizes: Float[np.ndarray, " size"], scores: Float[np.ndarray, "draw size"], at: Float[np.ndarray, " place"]
) -> Float[np.ndarray, "draw place"]:
    """Fit ``limit - drop * n ** -exponent`` through each row of scores, and add what it gains to the last score.

    So what is expected begins at what was measured. An inverse power law (Cortes et al. 1993, "Learning curves",
    NeurIPS 6) by least squares, with ``limit <= 1`` and ``drop >= 0``. All sizes weigh the same: they are tested on the
    same images, which is where most of their variance comes from. The exponent is the best on a grid, 0.5 where there
    are fewer than four sizes.

    Args:
        sizes: Training images, ascending, at least three.
        scores: At each size, between 0 and 1.
        at: Sizes to read, from the largest to four times that.

    Returns:
        Scores, at most 1; at the largest size those that were given.

    Raises:
        InputError: There are too few sizes, or a place is too far ahead.
    """
    if len(sizes) < FEWEST_SIZES or not sizes[-1] <= at.min() <= at.max() <= FURTHEST * sizes[-1]:
        msg = (
            f"A learning curve goes through {FEWEST_SIZES} sizes at least and is read up to {FURTHEST:g} times the "
            f"largest of them; got sizes {sizes.tolist()} and places {at.tolist()}. Measure at further sizes."
        )
        raise InputError(msg)
    exponents = EXPONENTS if len(sizes) > FEWEST_SIZES else np.array([EXPONENT])
    below = (sizes / sizes[-1]) ** -exponents[:, None]  # exponent, size
    limit, drop = _least_squares(below, scores)
    misses = limit[..., None] - drop[..., None] * below - scores[:, None, :]
    best = (misses**2).sum(axis=2).argmin(axis=1)
    gained = drop[np.arange(len(scores)), best, None] * (1 - (at / sizes[-1]) ** -exponents[best, None])
    expected: np.ndarray = np.minimum(scores[:, -1:] + gained, 1.0)
    return expected


def _least_squares(
    below: Float[np.ndarray, "exponent size"], scores: Float[np.ndarray, "draw size"]
) -> tuple[Float[np.ndarray, "draw exponent"], Float[np.ndarray, "draw exponent"]]:
    """Limit and drop of each row with each exponent. As no score passes 1, at most one of the two bounds is met."""
    centred = below - below.mean(axis=1, keepdims=True)
    drop = np.maximum(0.0, -(scores @ centred.T) / (centred**2).sum(axis=1))
    limit = scores.mean(axis=1, keepdims=True) + drop * below.mean(axis=1)
    at_most = ((1 - scores) @ below.T) / (below**2).sum(axis=1)  # with the limit at 1
    return np.minimum(limit, 1.0), np.where(limit > 1, at_most, drop)


def band(draws: Float[np.ndarray, " draw"]) -> Interval:
    """The range that holds 95 % of the draws."""
    low, high = np.quantile(draws, TAILS)
    return Interval(float(low), float(high))


def overtaking(
    gains: Float[np.ndarray, "draw place"], sizes: Float[np.ndarray, " place"]
) -> tuple[Overtakes, tuple[float, float] | None]:
    """Where a second strategy gets ahead of a first.

    Args:
        gains: Second minus first at each size, in each draw.
        sizes: Ascending; the first one is what there is today, the last one as far as anything is read.

    Returns:
        "already ahead" if it is at the first size in 97.5 % of the draws; "not within" if it never is in as many;
        "within" and the range of sizes that holds 95 % of the draws if both ends are there; else "cannot tell".
    """
    ahead = gains > 0
    first = np.where(ahead.any(axis=1), sizes[ahead.argmax(axis=1)], np.inf)
    low, high = np.quantile(first, TAILS, method="inverted_cdf")
    if high <= sizes[0]:
        return "already ahead", None
    if np.isinf(low):
        return "not within", None
    return ("cannot tell", None) if np.isinf(high) else ("within", (float(low), float(high)))
