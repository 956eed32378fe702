"""What would settle a "cannot tell": more splits of the same images, or more images, and how many."""

from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Float

from unfreeze.core.errors import InputError
from unfreeze.metrics.extrapolation import FURTHEST
from unfreeze.metrics.repeated import FEWEST_FOR_PROBABILITIES, LOOKS, StepEstimate, inflation, t_quantile

WANTED = 0.8  # predictive probability of a settled answer
_STEPS = (1.0, 1.5, 2.0, 3.0, 5.0, 7.0, 10.0)  # what a rounded number of images begins with


@dataclass(frozen=True, kw_only=True)
class Prospect:
    """What it would take to get another answer than "cannot tell" with a predictive probability of 80 %.

    Attributes:
        splits: Number of common splits of the same images that would do, of those that can be had; None if none does.
        more_images: Smallest addition of images that would do; None if splits alone do, or if four times the images
            would not.
        more_images_range: `more_images` rounded down and up, for people; None like it.
    """

    splits: int | None
    more_images: int | None
    more_images_range: tuple[int, int] | None


def what_would_settle(estimate: StepEstimate, *, images: int, splits: int, seed: int, draws: int = 4000) -> Prospect:
    """Splits first, since they cost nothing but time, then images.

    An answer is settled when the probability of "better" is at least 0.975 or at most 0.025, which includes
    "equivalent"; that is, when the difference is further from the margin than half the interval. How probable that is
    with more splits or images is computed by simulation, from what is not known now: the true variance (scaled inverse
    chi-squared) and the true difference (its posterior given that variance); then a new measurement is drawn: the
    predictive power of Spiegelhalter, Abrams & Myles, Bayesian Approaches to Clinical Trials (2004).

    More splits take away the s²/k of the variance, never the s² n_test/n_train, which belongs to the images. More
    images (more groups of the same size, where there are groups) divide both by n'/n. The images at hand are among the
    new ones, so only the rest of the measurement is new. That strategies gain differently from more images is not
    foreseen here: this is a statement about chance, not a learning curve.

    Args:
        estimate: What was measured so far.
        images: Number of images that the splits were drawn from, n.
        splits: The most splits that will be measured, also when there are more images; at least five.
        seed: Of the simulation.
        draws: Number of simulated measurements.

    Returns:
        What would do.

    Raises:
        InputError: The estimate comes from fewer than two splits, or `splits` are fewer than five.
    """
    if estimate.split_variance is None or splits < FEWEST_FOR_PROBABILITIES or images < 1:
        msg = (
            "What would settle an answer needs an estimate from at least two splits, at least "
            f"{FEWEST_FOR_PROBABILITIES} splits to plan for, and at least one image; "
            f"got {estimate.splits} splits, {splits} planned, {images} images."
        )
        raise InputError(msg)
    chance = _Chance(estimate, seed=seed, draws=draws)
    enough = [k for k in LOOKS if estimate.splits < k <= splits and chance.with_splits(k) >= WANTED]
    more = None
    if not enough and chance.with_images(FURTHEST, splits) >= WANTED:
        more = _fewest(chance, images, splits)
    return Prospect(
        splits=enough[0] if enough else None,
        more_images=more,
        more_images_range=None if more is None else _rounded(more),
    )


def _fewest(chance: "_Chance", images: int, splits: int) -> int:
    """Smallest addition with the wanted probability, by bisection; four times the images are known to do."""
    low, high = 0, (FURTHEST - 1) * images
    while high - low > 1:
        middle = (low + high) // 2
        if chance.with_images(1 + middle / images, splits) >= WANTED:
            high = middle
        else:
            low = middle
    return high


def _rounded(number: int) -> tuple[int, int]:
    """The number rounded down and up to what people say: 137 is 100 to 150."""
    power = 10 ** int(np.floor(np.log10(number)))
    low = max(step for step in _STEPS if step * power <= number)
    high = min(step for step in _STEPS if step * power >= number)
    if low == high:
        high = next(step for step in _STEPS if step > low)
    return int(low * power), int(np.ceil(high * power))


@final
class _Chance:
    """Predictive probabilities of a settled answer, all from the same random numbers, so that they can be compared."""

    def __init__(self, estimate: StepEstimate, *, seed: int, draws: int) -> None:
        rng = np.random.default_rng(seed)
        assert estimate.split_variance is not None  # noqa: S101 (checked by the only caller)
        self._now = estimate
        self._squares = (estimate.splits - 1) * estimate.split_variance  # of the splits at hand
        drawn = self._squares / rng.chisquare(estimate.splits - 1, draws)
        self._variances = np.maximum(drawn, estimate.least_variance)  # what the true one between splits may be
        self._normals = rng.standard_normal(draws)
        self._seed = seed

    def with_splits(self, splits: int) -> float:
        """With this many splits of the same images, those at hand among them."""
        moved = self._variances * (1 / self._now.splits - 1 / splits)
        new_squares = self._variances * self._chi_squared(splits - self._now.splits)
        return self._settled(moved, self._squares + new_squares, splits, times=1)

    def with_images(self, times: float, splits: int) -> float:
        """With `times` the images, split anew.

        The old measurement has an error of its images (variance A) and one of its splits (B = s²/k). In the new one
        both are divided by `times`; its images are the old ones for a part 1/times, its splits are all new. So it moves
        by a variance of A (1 - 1/times) + B + B'.
        """
        of_images = self._now.test_fraction / (1 - self._now.test_fraction)
        moved = self._variances * (of_images * (1 - 1 / times) + 1 / self._now.splits + 1 / (times * splits))
        new_squares = self._variances / times * self._chi_squared(splits - 1)
        return self._settled(moved, new_squares, splits, times=times)

    def _chi_squared(self, freedom: int) -> Float[np.ndarray, " draw"]:
        """The same draws whenever it is asked for the same degrees of freedom."""
        return np.random.default_rng([self._seed, freedom]).chisquare(freedom, len(self._normals))

    def _settled(
        self, moved: Float[np.ndarray, " draw"], squares: Float[np.ndarray, " draw"], splits: int, *, times: float
    ) -> float:
        """Share of the draws whose difference is further from the margin than half of the interval that they get."""
        now = self._now
        factor = inflation(splits, now.test_fraction)
        from_splits = t_quantile(now.level, splits - 1) * np.sqrt(squares / (splits - 1) * factor)
        units = max(2, round(now.units * times))
        from_images = t_quantile(now.level, units - 1) * (now.least_variance / times * factor) ** 0.5
        away = np.abs(now.difference + np.sqrt(moved) * self._normals - now.margin)
        return float(np.mean(away >= np.maximum(from_splits, from_images)))
