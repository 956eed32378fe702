"""What would settle a "cannot tell": more rounds of the same images, or more images, and how many."""

from dataclasses import dataclass
from typing import final

import numpy as np
from scipy.special import ndtr

from unfreeze.core.errors import InputError
from unfreeze.metrics.extrapolation import FURTHEST
from unfreeze.metrics.repeated import FEWEST_FOR_PROBABILITIES, FOLDS, LOOKS, StepEstimate, t_quantile

WANTED = 0.8  # predictive probability of a settled answer
# Share of the variance between images' differences, in one round, that goes with its fits: an image that one training
# set gets right another does not. `benchmarks/draws.py` has the images' variance after 5, 10 and 20 folds.
OF_FITS = 0.4
_STEPS = (1.0, 1.5, 2.0, 3.0, 5.0, 7.0, 10.0)  # what a rounded number of images begins with


@dataclass(frozen=True, kw_only=True)
class Prospect:
    """What it would take to get another answer than "cannot tell" with a predictive probability of 80 %.

    Attributes:
        splits: Number of common folds of the same images that would do, of those that can be had; None if none does.
        more_images: Smallest addition of images that would do; None if folds alone do, or if four times the images
            would not.
        more_images_range: `more_images` rounded down and up, for people; None like it.
    """

    splits: int | None
    more_images: int | None
    more_images_range: tuple[int, int] | None


def what_would_settle(estimate: StepEstimate, *, images: int, splits: int, folds: int = FOLDS) -> Prospect:
    """Rounds first, since they cost nothing but time, then images.

    An answer is settled when the probability of "better" is at least 0.975 or at most 0.025, which includes
    "equivalent"; that is, when the difference is further from the margin than half the interval. How probable that is
    after more measuring follows from what is not known now (the predictive power of Spiegelhalter, Abrams & Myles,
    Bayesian Approaches to Clinical Trials, 2004): with V the variance of the difference now and V' then, the new
    difference is normal about the one of now with variance V - V'.

    More rounds divide what unstable fits add, and 0.4 of the images' variance, by their number. More images
    (more groups of the same size, where there are groups) divide everything by n'/n; the images at hand are among the
    new ones, and all fits are new. That strategies gain differently from more images is not foreseen here: this is a
    statement about chance, not a learning curve.

    Args:
        estimate: What was measured so far.
        images: Number of images that the folds were drawn from, n.
        splits: The most folds that will be measured, also when there are more images.
        folds: Number of a round.

    Returns:
        What would do.

    Raises:
        InputError: The estimate comes from a single fold, or there are no images.
    """
    if estimate.standard_error is None or splits < FEWEST_FOR_PROBABILITIES or images < 1:
        msg = (
            f"What would settle an answer needs an estimate from at least {FEWEST_FOR_PROBABILITIES} folds, as many to "
            f"plan for, and at least one image; got {estimate.splits} folds, {splits} planned, {images} images."
        )
        raise InputError(msg)
    chance = _Chance(estimate, folds)
    enough = [k for k in LOOKS if estimate.splits < k <= splits and chance.with_splits(k) >= WANTED]
    more = None
    if not enough and chance.with_images(FURTHEST, splits) >= WANTED:
        more = _fewest(chance, images, splits)
    return Prospect(
        splits=enough[0] if enough else None,
        more_images=more,
        more_images_range=None if more is None else _rounded(more),
    )


def chance_of_settling(estimate: StepEstimate, *, splits: int, folds: int = FOLDS) -> float:
    """How probable it is that more folds of the same images settle an answer, see `what_would_settle`.

    Args:
        estimate: From two folds or more.
        splits: That there will be.
        folds: Number of a round.

    Returns:
        A probability; 0 where there are so many folds already.
    """
    return _Chance(estimate, folds).with_splits(splits) if estimate.splits < splits else 0.0


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
    """Predictive probabilities of a settled answer."""

    def __init__(self, estimate: StepEstimate, folds: int) -> None:
        self._now, self._folds = estimate, folds

    def with_splits(self, splits: int) -> float:
        """With this many folds of the same images, those at hand among them."""
        now, whole_round = self._now, self._whole_round
        images = ((1 - OF_FITS) * whole_round + self._training_sets) / self._tested(splits)
        then = images + self._of_fits(splits) * whole_round + now.fit_variance * now.splits / splits
        return self._settled(now.variance - then, then, now.units)

    def with_images(self, times: float, splits: int) -> float:
        """With `times` the images, measured anew on so many folds.

        What images make moves by its old variance less its new one, as the old images are among the new ones; what
        fits make moves all, the old and the new.
        """
        now, whole_round = self._now, self._whole_round
        of_images = (1 - OF_FITS) * whole_round + self._training_sets
        images, new_images = of_images / self._tested(now.splits), of_images / self._tested(splits) / times
        fits = self._of_fits(now.splits) * whole_round + now.fit_variance
        new_fits = (self._of_fits(splits) * whole_round + now.fit_variance * now.splits / splits) / times
        moved = images - new_images + fits + new_fits
        return self._settled(moved, new_images + new_fits, round(now.units * times))

    @property
    def _whole_round(self) -> float:
        """What images make of the variance after one round."""
        return self._now.image_variance / self._of_images(self._now.splits)

    @property
    def _training_sets(self) -> float:
        """What training sets make of it after whole rounds."""
        return self._now.training_variance * self._tested(self._now.splits)

    def _of_fits(self, splits: int) -> float:
        """What fits make of the images' variance after so many folds; all of it after one round is 1."""
        return OF_FITS / (splits / self._folds)

    def _of_images(self, splits: int) -> float:
        """All of it."""
        return (1 - OF_FITS) / self._tested(splits) + self._of_fits(splits)

    def _tested(self, splits: int) -> float:
        """Share of the images that so many folds have tested."""
        return min(1.0, splits / self._folds)

    def _settled(self, moved: float, then: float, units: int) -> float:
        """Probability that the difference will be further from the margin than half of its interval."""
        now = self._now
        half = t_quantile(now.level, max(1, units - 1)) * then**0.5
        away = now.difference - now.margin
        deviation = max(moved, 1e-12) ** 0.5
        return float(ndtr((away - half) / deviation) + ndtr((-half - away) / deviation))
