"""Codes in a plane, and what lies near each class."""

import numpy as np
from sklearn.manifold import trustworthiness

from unfreeze.core.seeing import SIDE_OF_MAP
from unfreeze.metrics.code_map import class_neighbours, comparable, drawn_rows, plane


def clusters(rng: np.random.Generator, sizes: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Codes of classes that lie far from each other, and their labels."""
    labels = np.repeat(np.arange(len(sizes)), sizes)
    return 20 * np.eye(len(sizes), 8)[labels] + rng.normal(size=(len(labels), 8)), labels


def test_a_drawn_class_keeps_its_share(rng: np.random.Generator) -> None:
    """Of a hundred images half are drawn: half of each class, and the one image of the smallest."""
    labels = np.repeat([0, 1, 2], [60, 39, 1])

    drawn = drawn_rows(labels, 50, rng=rng)

    assert np.bincount(labels[drawn]).tolist() == [30, 19, 1]
    assert drawn.tolist() == sorted(set(drawn.tolist()))


def test_all_are_drawn_where_there_is_room(rng: np.random.Generator) -> None:
    """With as many places as images every image is there once."""
    assert drawn_rows(np.array([1, 0, 1]), 5, rng=rng).tolist() == [0, 1, 2]


def test_the_scale_of_a_code_does_not_matter(rng: np.random.Generator) -> None:
    """Codes in other units are the same, all have length 1, and one that never varies adds nothing."""
    codes = np.column_stack([rng.normal(size=(20, 3)), np.ones(20)])

    found = comparable(codes)

    np.testing.assert_allclose(found, comparable(codes * [1, 100, 0.01, 5]), atol=1e-4)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, rtol=1e-5)
    assert not found[:, 3].any()


def test_neighbours_stay_neighbours_in_the_plane(rng: np.random.Generator) -> None:
    """scikit-learn's trustworthiness of the plane is high, its corners are used, and a seed gives it again."""
    codes, _ = clusters(rng, (20, 20, 20))
    codes = comparable(codes)

    found = plane(codes, seed=3)

    assert trustworthiness(codes, found.astype(float), n_neighbors=10) > 0.9
    assert (found.min(axis=0).tolist(), found.max(axis=0).tolist()) == ([0, 0], [SIDE_OF_MAP, SIDE_OF_MAP])
    np.testing.assert_array_equal(found, plane(codes, seed=3))


def test_classes_far_apart_have_only_their_own_near_them(rng: np.random.Generator) -> None:
    """Every neighbour is of the same class; a class without images has no share."""
    codes, labels = clusters(rng, (15, 12))

    found = class_neighbours(codes, labels, classes=3)

    assert [(one.images, one.same, one.among) for one in found] == [(15, 1.0, ()), (12, 1.0, ()), (0, None, ())]


def test_shares_are_counted_among_the_nearest() -> None:
    """On a line 0 1 2 10 11 12 with classes a a b b b b: of the two nearest of each a one is a, the other b."""
    codes = np.array([[0.0], [1.0], [2.0], [10.0], [11.0], [12.0]])

    a, b = class_neighbours(codes, np.array([0, 0, 1, 1, 1, 1]), classes=2, neighbours=2)

    assert (a.same, a.among) == (0.5, ((1, 0.5),))
    assert (b.same, b.among) == (0.75, ((0, 0.25),))  # of the b at 2 both are a, of the others none
