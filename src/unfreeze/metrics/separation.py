"""How well scores tell two sets of images apart."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.special import ndtri
from scipy.stats import rankdata

from unfreeze.core.records import Interval


@dataclass(frozen=True)
class Separation:
    """The area under the ROC curve: how often an image of the second set has the higher score in a pair.

    Attributes:
        auc: From 0 to 1; 0.5 where the sets are alike.
        interval: At the level that was asked for.
        pairs: Of how many pairs.
    """

    auc: float
    interval: Interval
    pairs: int


def separation_within_classes(
    scores: Float[np.ndarray, " image"],
    is_second: Bool[np.ndarray, " image"],
    classes: Int[np.ndarray, " image"],
    *,
    level: float = 0.95,
) -> Separation | None:
    """Tell two sets apart by scores, in pairs of the same class, so that other shares of classes do not count.

    Args:
        scores: Higher for the second set.
        is_second: Whether each image is of it.
        classes: Class index of each image.
        level: Coverage wanted, a fraction.

    Returns:
        The mean of the classes' areas, weighted by their pairs; None where no class has two images of each set.

    Source:
        Area and variance of each class: E. R. DeLong, D. M. DeLong & D. L. Clarke-Pearson, Biometrics 44 (1988).
    """
    areas, variances, pairs = [], [], []
    for one in np.unique(classes):
        of_class = classes == one
        first, second = scores[of_class & ~is_second], scores[of_class & is_second]
        if min(len(first), len(second)) < 2:
            continue
        area, variance = _area(first, second)
        areas.append(area)
        variances.append(variance)
        pairs.append(len(first) * len(second))
    if not pairs:
        return None
    weights = np.array(pairs) / sum(pairs)
    auc = float(weights @ areas)
    half = float(ndtri(0.5 + level / 2)) * float(np.sqrt(np.square(weights) @ variances))
    return Separation(auc, Interval(max(0.0, auc - half), min(1.0, auc + half)), sum(pairs))


def _area(first: Float[np.ndarray, " one"], second: Float[np.ndarray, " other"]) -> tuple[float, float]:
    """Area and its variance by the placements of each image among the other set."""
    ranks = rankdata(np.concatenate([first, second]))
    below = (ranks[len(first) :] - rankdata(second)) / len(first)  # of each of the second, the share it exceeds
    above = 1 - (ranks[: len(first)] - rankdata(first)) / len(second)
    return float(below.mean()), float(below.var(ddof=1) / len(second) + above.var(ddof=1) / len(first))
