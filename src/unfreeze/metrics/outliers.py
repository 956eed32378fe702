"""Images that lie far from all others of their class, by their codes."""

import numpy as np
from jaxtyping import Bool, Float, Int

NEIGHBOURS = 5
FEWEST = 3 * NEIGHBOURS  # images of a class, below which its distances say nothing
FAR = 5.0  # robust deviations above the median of the class; of normal distances one of three million
_MAD = 1.4826  # makes the median absolute deviation that of a normal variable


def class_distances(
    unit_codes: Float[np.ndarray, "image code"], labels: Int[np.ndarray, " image"]
) -> Float[np.ndarray, " image"]:
    """Mean cosine distance of each image to its nearest neighbours of its class.

    Args:
        unit_codes: Of length 1, as `metrics.code_map.comparable` gives them.
        labels: Class index of each image.

    Returns:
        From 0 to 2; nan in classes with fewer than `FEWEST` images.

    Source:
        S. Ramaswamy, R. Rastogi & K. Shim, SIGMOD 2000; of several neighbours the mean, as F. Angiulli & C. Pizzuti,
        PKDD 2002.
    """
    distances = np.full(len(labels), np.nan)
    for one in np.unique(labels):
        rows = np.flatnonzero(labels == one)
        if len(rows) < FEWEST:
            continue
        likeness = unit_codes[rows] @ unit_codes[rows].T
        np.fill_diagonal(likeness, -np.inf)
        nearest = -np.partition(-likeness, NEIGHBOURS - 1, axis=1)[:, :NEIGHBOURS]
        distances[rows] = 1 - nearest.mean(axis=1)
    return distances


def far_ones(distances: Float[np.ndarray, " image"], labels: Int[np.ndarray, " image"]) -> Bool[np.ndarray, " image"]:
    """Whether each image lies farther from its class than the others of the class do.

    Args:
        distances: Of `class_distances`.
        labels: Class index of each image.

    Returns:
        Those beyond the class's median by more than `FAR` robust deviations.
    """
    far = np.zeros(len(labels), bool)
    for one in np.unique(labels):
        rows = np.flatnonzero((labels == one) & np.isfinite(distances))
        if len(rows):
            middle = np.median(distances[rows])
            spread = _MAD * np.median(np.abs(distances[rows] - middle))
            far[rows] = distances[rows] > middle + FAR * max(spread, 1e-3)
    return far
