"""The winner of a contest looks better than it is: how much better, and what it is worth without that."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Shaped

from unfreeze.core.errors import InputError
from unfreeze.core.records import Interval


@dataclass(frozen=True, kw_only=True)
class WinnerEstimate:
    """What the best of several strategies is worth.

    Attributes:
        winner: Place of the strategy with the best mean; of equals the first.
        naive: Its mean, which is too high, as it was chosen for it.
        corrected: Mean on images that did not choose.
        interval: Of `corrected`, from the bootstrap; reaches to it where rare draws move it out of the quantiles.
    """

    winner: int
    naive: float
    corrected: float
    interval: Interval


def corrected_winner(
    values: Float[np.ndarray, "strategy image"],
    units: Shaped[np.ndarray, " image"] | Sequence[str],
    *,
    seed: int,
    level: float = 0.95,
    draws: int = 2000,
) -> WinnerEstimate:
    """Bootstrap bias-corrected cross-validation (BBC-CV) on stored predictions; nothing is trained again.

    Many times a set of units is drawn with replacement. The strategy with the best mean on what was drawn wins, and is
    scored on what was not drawn. The mean of these scores is the corrected estimate, their quantiles are its interval,
    which is somewhat too wide, since each score rests on about 37 % of the units.

    All strategies count on the same images, each image with the mean of its values over the splits that tested on it
    (`mean_by_image`). The variance over training sets is in the interval only as far as images differ by it. The
    weights of balanced accuracy stay those of all images.

    Args:
        values: Value of every image with every strategy, such that the mean is the metric and larger is better (see
            `metric_values`), from models that had not seen the image.
        units: Name or number of the independent unit of every image: its group, or the image itself.
        seed: Of the draws.
        level: Coverage wanted, a fraction.
        draws: Number of resampled sets.

    Returns:
        The naive and the corrected estimate.

    Raises:
        InputError: There are no strategies, fewer than two units, or not one unit per image.

    Source:
        I. Tsamardinos, E. Greasidou & G. Borboudakis, Bootstrapping the out-of-sample predictions for efficient and
        accurate cross-validation, Machine Learning 107 (2018).
    """
    number_of_strategies = len(values)
    unit_of, sizes = _numbered(units)
    if number_of_strategies == 0 or len(sizes) < 2 or len(unit_of) != values.shape[1]:
        msg = (
            "The optimism of a winner needs at least one strategy, at least two independent units and one unit per "
            f"image; got {number_of_strategies} strategies, {len(sizes)} units and {len(unit_of)} names of units for "
            f"{values.shape[1]} images."
        )
        raise InputError(msg)
    totals = np.stack([np.bincount(unit_of, weights=row) for row in values])
    rng = np.random.default_rng(seed)
    scores = np.empty(draws)
    for draw in range(draws):
        times, left_out = _drawn(len(sizes), rng)
        won = np.argmax(totals @ times / (sizes @ times))
        scores[draw] = totals[won] @ left_out / (sizes @ left_out)
    means = totals.sum(axis=1) / sizes.sum()
    low, high = np.quantile(scores, [0.5 - level / 2, 0.5 + level / 2])
    corrected = float(scores.mean())
    return WinnerEstimate(
        winner=int(np.argmax(means)),
        naive=float(means.max()),
        corrected=corrected,
        interval=Interval(min(float(low), corrected), max(float(high), corrected)),
    )


def _numbered(units: Shaped[np.ndarray, " image"] | Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Number of the unit of every image, and number of images of every unit."""
    _, unit_of = np.unique(np.asarray(units), return_inverse=True)
    return unit_of, np.bincount(unit_of)


def _drawn(number: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """How often each unit was drawn, and which were not; drawn again in the rare case that none was left out."""
    while True:
        times = np.bincount(rng.integers(number, size=number), minlength=number)
        if np.any(times == 0):
            return times, times == 0


def mean_by_image(
    values: Sequence[Float[np.ndarray, "..."]], images: Sequence[Shaped[np.ndarray, "..."]]
) -> tuple[Float[np.ndarray, " image"], Shaped[np.ndarray, " image"]]:
    """Average what several splits say of the same image.

    Args:
        values: One array per split: the value of every image of its test part.
        images: One array per split: the name or number of every image.

    Returns:
        The mean value of every image that was tested on, and the images, in sorted order.
    """
    names, image_of = np.unique(np.concatenate(images), return_inverse=True)
    counts = np.bincount(image_of)
    return np.bincount(image_of, weights=np.concatenate(values)) / counts, names
