"""How unlike anything in training a photo is, by its codes.

Codes are scaled to length 1 first: their length says little of what is in a photo, and without it classes that were
left out of training stand out more (docs/how-to/ship-the-model.md has the figures). Codes of each class lie around a
mean, all with one covariance, which is large along some directions and the same along all others (probabilistic PCA).
A photo is as far as its code is from the nearest mean, in that covariance. How far is far is not asked of the
covariance, but of training photos that were held out of it.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from unfreeze.metrics.neighbours import directions


@dataclass(frozen=True, eq=False, kw_only=True)
class CodeCloud:
    """Where the codes of a training set lie, each scaled to length 1.

    Attributes:
        means: Of each class.
        directions: Along which codes vary most around their mean, of length 1, at right angles.
        variances: Along each.
        rest: Variance along every other direction.
        held_out: Distances of photos that the other attributes were not estimated from, ascending.
    """

    means: Float[np.ndarray, "cls code"]
    directions: Float[np.ndarray, "direction code"]
    variances: Float[np.ndarray, " direction"]
    rest: float
    held_out: Float[np.ndarray, " photo"]


def distances(cloud: CodeCloud, codes: Float[np.ndarray, "photo code"]) -> Float[np.ndarray, " photo"]:
    """Squared Mahalanobis distance of each code to the nearest mean.

    Args:
        cloud: Of the training set.
        codes: Of photos, scaled as those of the cloud were.

    Returns:
        Of each photo, at least 0.

    Source:
        K. Lee, K. Lee, H. Lee & J. Shin, NeurIPS 2018, arXiv:1807.03888; the covariance as in M. Tipping & C. Bishop,
        Probabilistic principal component analysis, 1999.
    """
    nearest = np.full(len(codes), np.inf)
    for mean in cloud.means:
        apart = codes.astype(np.float64) - mean
        along = apart @ cloud.directions.T
        beside = np.maximum((apart**2).sum(axis=1) - (along**2).sum(axis=1), 0.0)
        nearest = np.minimum(nearest, (along**2 / cloud.variances).sum(axis=1) + beside / cloud.rest)
    return nearest


def likeness(cloud: CodeCloud, codes: Float[np.ndarray, "photo code"]) -> Float[np.ndarray, " photo"]:
    """The share of photos like those in training that would be at least as far away.

    Where photos are like those that were held out, a share of r or less has a probability of at most r, whatever the
    distribution of the distances (a conformal p-value).

    Args:
        cloud: Of the training set.
        codes: Of photos, of any length.

    Returns:
        Of each photo, above 0 and at most 1; small for a photo that is unlike all in training.

    Source:
        R. Laxhammar & G. Falkman, Conformal anomaly detection, 2010; V. Vovk, A. Gammerman & G. Shafer, Algorithmic
        learning in a random world, 2005; codes of length 1, M. Müller & M. Hein, ICML 2025, arXiv:2505.18032.
    """
    farther = len(cloud.held_out) - np.searchsorted(cloud.held_out, distances(cloud, directions(codes)), side="left")
    shares: Float[np.ndarray, " photo"] = (1 + farther) / (1 + len(cloud.held_out))
    return shares
