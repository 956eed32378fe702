"""Images that belong together (one subject, one tile) count as one unit of chance."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from unfreeze.core.errors import InputError

_NUMBERS_AT_ONCE = 4_000_000  # of one chunk of draws: 32 MB


class Units(NamedTuple):
    """What is resampled, condensed: how many units have which total and which size.

    Attributes:
        totals: Distinct sums over the images of a unit.
        sizes: Number of images of such a unit.
        counts: Number of units like this.
    """

    totals: Float[np.ndarray, " kind"]
    sizes: Float[np.ndarray, " kind"]
    counts: Int[np.ndarray, " kind"]

    @property
    def number(self) -> int:
        """Number of units."""
        return int(self.counts.sum())


def units(values: Float[np.ndarray, " image"], groups: Sequence[str] | None) -> Units:
    """Sum the values of every group and count equal groups once.

    Args:
        values: One number per image.
        groups: Group of each image, or None; an image with the group "" is a group of its own.

    Returns:
        The condensed units, in a fixed order.

    Raises:
        InputError: There are no images, or not one group per image.
    """
    if len(values) == 0 or (groups is not None and len(groups) != len(values)):
        msg = (
            "An interval needs at least one image and, where groups are given, one group per image; "
            f"got {len(values)} images and {'no' if groups is None else len(groups)} groups."
        )
        raise InputError(msg)
    if groups is None:
        totals, sizes = values, np.ones(len(values))
    else:
        unit_of = unit_numbers(groups)
        totals, sizes = np.bincount(unit_of, weights=values), np.bincount(unit_of).astype(np.float64)
    kinds, counts = np.unique(np.stack([totals, sizes], axis=1), axis=0, return_counts=True)
    return Units(kinds[:, 0], kinds[:, 1], counts)


def unit_numbers(groups: Sequence[str]) -> Int[np.ndarray, " image"]:
    """Number of the independent unit of every image: its group, or itself if its group is "".

    Args:
        groups: Group of each image; for images without groups as many empty strings.

    Returns:
        A number per image, in order of first appearance; images of one group share theirs.

    Example:
        >>> unit_numbers(["a", "", "a", ""]).tolist()
        [0, 1, 0, 2]
    """
    numbers: dict[object, int] = {}
    return np.array([numbers.setdefault(group or index, len(numbers)) for index, group in enumerate(groups)])


def resampled_means(resampled: Units, *, seed: int, draws: int) -> Float[np.ndarray, " draw"]:
    """Mean over the images of each of `draws` sets of units drawn with replacement.

    Drawing how often each kind of unit occurs (multinomial) is the same chance as drawing unit after unit.

    Args:
        resampled: The units.
        seed: Of the draws.
        draws: Number of sets.

    Returns:
        One mean per draw.
    """
    rng = np.random.default_rng(seed)
    chances = resampled.counts / resampled.number
    step = max(1, _NUMBERS_AT_ONCE // len(chances))
    means = []
    for start in range(0, draws, step):
        drawn = rng.multinomial(resampled.number, chances, size=min(step, draws - start))
        means.append((drawn @ resampled.totals) / (drawn @ resampled.sizes))
    return np.concatenate(means)
