"""Which places of a photo speak for a class: the class activation map of Zhou et al. (2016, arXiv:1512.04150)."""

import numpy as np
from jaxtyping import Float

from unfreeze.core.seeing import Grid


def class_activation(
    weights: Float[np.ndarray, " channel"], maps: Float[np.ndarray, "channel height width"]
) -> Float[np.ndarray, "height width"]:
    """What each place of a map adds to the score of a class whose head reads the means of that map.

    Args:
        weights: Of the class, in the head.
        maps: The last map.

    Returns:
        Its mean is the score without the bias; below 0 where a place speaks against the class.
    """
    found: Float[np.ndarray, "height width"] = np.tensordot(weights, maps, axes=1)
    return found


def as_grid(values: Float[np.ndarray, "height width"]) -> Grid:
    """What speaks for a class, as whole numbers from 0 to 255, the largest being 255; all 0 where nothing does."""
    top = float(values.max())
    scaled = np.rint(255 * np.maximum(values, 0) / top) if top > 0 else np.zeros_like(values)
    return tuple(tuple(int(value) for value in row) for row in scaled)
