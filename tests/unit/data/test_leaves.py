"""Leaves that are drawn."""

import numpy as np
import pytest
from PIL import Image

from unfreeze.data.leaves import SIDE, TREES, Tree, draw_leaf

by_tree = pytest.mark.parametrize("tree", TREES, ids=[tree.name for tree in TREES])


def pixels(picture: Image.Image) -> np.ndarray:
    """Its numbers."""
    return np.asarray(picture, np.int64)


@by_tree
def test_the_same_seed_draws_the_same_leaf(tree: Tree) -> None:
    """A seed decides every pixel, and another one draws another leaf."""
    first = pixels(draw_leaf(tree, seed=(1, 2)))

    assert np.array_equal(first, pixels(draw_leaf(tree, seed=(1, 2))))
    assert np.abs(first - pixels(draw_leaf(tree, seed=(1, 3)))).mean() > 5


@by_tree
def test_a_leaf_is_a_picture_in_colour_with_light_and_shade(tree: Tree) -> None:
    """Three channels that differ, and no picture that is nearly black or nearly white."""
    picture = draw_leaf(tree, seed=0)

    assert picture.mode == "RGB"
    assert picture.size == (SIDE, SIDE)
    values = pixels(picture)
    assert 20 < values.mean() < 235
    assert values.std() > 5
    assert np.abs(values[..., 0] - values[..., 2]).mean() > 2


def test_trees_have_names_of_their_own() -> None:
    """No two classes share a folder."""
    assert len({tree.name for tree in TREES}) == len(TREES)
