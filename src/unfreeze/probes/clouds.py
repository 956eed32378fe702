"""Fitting where the codes of a training set lie, with distances of photos that were held out."""

from dataclasses import replace

import numpy as np
from jaxtyping import Float, Int
from sklearn.decomposition import PCA
from sklearn.model_selection import KFold

from unfreeze.metrics.neighbours import directions
from unfreeze.metrics.novelty import CodeCloud, distances

DIRECTIONS = 64  # at most, and a quarter of the photos
FOLDS = 5
FEWEST = 40  # photos, below which no false-alarm rate of a few per cent can be kept
_TINY = 1e-9  # of the mean variance: codes that are all the same have none


def fitted_cloud(
    codes: Float[np.ndarray, "photo code"], labels: Int[np.ndarray, " photo"], *, seed: int
) -> CodeCloud | None:
    """Where codes of length 1 lie, by class.

    Args:
        codes: Of training photos, of any length.
        labels: Class index of each.
        seed: Of the folds.

    Returns:
        The cloud of all; what is held out was so in folds, each photo once. None of fewer photos than `FEWEST`.
    """
    if len(codes) < FEWEST:
        return None
    codes = directions(codes.astype(np.float64))
    held_out = []
    for learn, test in KFold(FOLDS, shuffle=True, random_state=seed).split(codes):
        held_out.append(distances(cloud_of(codes[learn], labels[learn], seed=seed), codes[test]))
    return replace(cloud_of(codes, labels, seed=seed), held_out=np.sort(np.concatenate(held_out)))


def cloud_of(codes: Float[np.ndarray, "photo code"], labels: Int[np.ndarray, " photo"], *, seed: int) -> CodeCloud:
    """Where codes lie as they are, by class, without anything held out; arguments as for `fitted_cloud`."""
    known, place = np.unique(labels, return_inverse=True)
    means = np.stack([codes[labels == one].mean(axis=0) for one in known])
    around = codes - means[place]
    number = max(1, min(DIRECTIONS, len(codes) // 4, codes.shape[1] - 1))
    solver = "randomized" if codes.shape[1] > DIRECTIONS else "full"
    with np.errstate(invalid="ignore"):  # where nothing varies, it divides by nothing
        found = PCA(number, svd_solver=solver, random_state=seed).fit(around)
    # Not scikit-learn's noise_variance_, which shares what is left among as many directions as there are photos.
    left = float(around.var(axis=0, ddof=1).sum() - found.explained_variance_.sum()) / (codes.shape[1] - number)
    least = _TINY * max(float(around.var()), _TINY)
    return CodeCloud(
        means=means,
        directions=found.components_,
        variances=np.maximum(found.explained_variance_, least),
        rest=max(left, least),
        held_out=np.empty(0),
    )
