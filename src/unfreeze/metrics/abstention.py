"""What is gained where a classifier leaves open what it is unsure of, or what is unlike anything in training."""

from collections.abc import Sequence
from itertools import compress

import numpy as np
from jaxtyping import Bool, Float

from unfreeze.core.records import Abstaining, Answered
from unfreeze.metrics.intervals import accuracy_interval

PROBABILITIES = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)


def answered(
    kept: Bool[np.ndarray, " image"], right: Bool[np.ndarray, " image"], groups: Sequence[str], *, seed: int
) -> Answered:
    """Coverage and accuracy of a classifier that answers for some images alone.

    Args:
        kept: Which images are answered.
        right: Whether the answer is right.
        groups: Of each image, over which the interval is drawn; empty text for none.
        seed: Of the draws of an interval over groups.

    Returns:
        A point of the accuracy-coverage curve.

    Source:
        R. El-Yaniv & Y. Wiener, On the foundations of noise-free selective classification, JMLR 11, 2010.
    """
    if not kept.any():
        return Answered(images=0, right=0, accuracy=None, interval=None)
    images, number = int(kept.sum()), int(right[kept].sum())
    interval = accuracy_interval(right[kept], list(compress(groups, kept)), seed=seed)
    return Answered(images=images, right=number, accuracy=number / images, interval=interval)


def abstaining_curve(
    sureness: Float[np.ndarray, " image"], right: Bool[np.ndarray, " image"], groups: Sequence[str], *, seed: int
) -> tuple[Abstaining, ...]:
    """What is answered, and how well, from every probability on.

    Args:
        sureness: Probability of each image's likeliest class.
        right: Whether that class is the given one.
        groups: As for `answered`.
        seed: As for `answered`.

    Returns:
        At 0, where all are answered, and at every whole per cent at which fewer are than at the one before.
    """
    found: list[Abstaining] = []
    for below in (place / 100 for place in range(100)):
        kept = sure_from(sureness, below)
        if not found or found[-1].answered.images > kept.sum():
            found.append(Abstaining(below=below, answered=answered(kept, right, groups, seed=seed)))
    return tuple(found)


def sure_from(sureness: Float[np.ndarray, " image"], probability: float) -> Bool[np.ndarray, " image"]:
    """Which images `unfreeze predict --threshold` answers: probabilities count with the six digits that are written."""
    return np.round(sureness.astype(np.float64), 6) >= probability
