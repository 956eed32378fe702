"""Images far from their class."""

import numpy as np
from sklearn.neighbors import NearestNeighbors

from unfreeze.metrics.code_map import comparable
from unfreeze.metrics.outliers import FEWEST, NEIGHBOURS, class_distances, far_ones


def test_distances_are_those_of_scikit_learn() -> None:
    """Of each class, the mean cosine distance to its five nearest neighbours; nan where there are too few."""
    rng = np.random.default_rng(0)
    codes, labels = comparable(rng.normal(size=(90, 16))), np.array([0] * 40 + [1] * 46 + [2] * 4)

    found = class_distances(codes, labels)

    for one in (0, 1):
        inside = codes[labels == one]
        near = NearestNeighbors(n_neighbors=NEIGHBOURS, metric="cosine").fit(inside).kneighbors()[0]
        np.testing.assert_allclose(found[labels == one], near.mean(axis=1), atol=1e-5)
    assert np.isnan(found[labels == 2]).all()
    assert FEWEST > 4


def test_what_looks_into_another_direction_is_far() -> None:
    """Three images opposite to the others of their class are the farthest, and hardly another is far."""
    rng = np.random.default_rng(0)
    codes = rng.normal(size=(200, 12)) * 0.2 + 1
    codes[:3] = -codes[:3] + rng.normal(size=(3, 12))
    unit = (codes / np.linalg.norm(codes, axis=1, keepdims=True)).astype(np.float32)
    labels = np.zeros(200, int)

    distances = class_distances(unit, labels)

    assert set(np.argsort(distances)[-3:]) == {0, 1, 2}
    assert far_ones(distances, labels)[:3].all()
    assert far_ones(distances, labels).sum() <= 5
