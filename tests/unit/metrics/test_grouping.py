"""Units of chance: what belongs together, how often, and what is drawn from it."""

import numpy as np
import pytest
from scipy.stats import binom

from unfreeze.core.errors import InputError
from unfreeze.metrics.grouping import Units, resampled_means, unit_numbers, units


def test_equal_groups_are_counted_once() -> None:
    """Groups of the totals 1 + 2, 3 and 2 + 1 and two images without a group, 3 and 1, are three kinds of units."""
    found = units(np.array([1.0, 3.0, 2.0, 2.0, 1.0, 3.0, 1.0]), ["a", "b", "c", "a", "c", "", ""])

    kinds = zip(found.totals.tolist(), found.sizes.tolist(), found.counts.tolist(), strict=True)
    assert list(kinds) == [(1.0, 1.0, 1), (3.0, 1.0, 2), (3.0, 2.0, 2)]
    assert found.number == 5


def test_without_groups_every_image_is_a_unit() -> None:
    """Five images with two different values are two kinds of units of size one."""
    found = units(np.array([0.5, 0.0, 0.5, 0.5, 0.0]), None)

    assert found.totals.tolist() == [0.0, 0.5]
    assert found.sizes.tolist() == [1.0, 1.0]
    assert found.counts.tolist() == [2, 3]


def test_groups_are_numbered_as_they_appear() -> None:
    """A group keeps the number of its first image, and the empty group is always a new one."""
    assert unit_numbers(["b", "", "a", "b", "", "a"]).tolist() == [0, 1, 2, 0, 3, 2]


def test_units_refuse_what_does_not_fit() -> None:
    """The error names what is needed, how many images there are, and how many groups or that there are none."""
    with pytest.raises(InputError, match=r"^An interval needs at least one image .*; got 0 images and no groups\.$"):
        units(np.zeros(0), None)
    with pytest.raises(InputError, match="got 3 images and 2 groups"):
        units(np.zeros(3), ["a", "b"])


def test_drawn_means_have_the_moments_of_the_binomial(seed: int) -> None:
    """Of 30 units of one and 10 of zero, the mean of 40 drawn has mean 3/4 and variance (3/4)(1/4)/40."""
    kinds = Units(np.array([0.0, 1.0]), np.ones(2), np.array([10, 30]))

    means = resampled_means(kinds, seed=seed, draws=20_000)

    error = binom.std(40, 0.75) / 40
    assert means.mean() == pytest.approx(0.75, abs=5 * error / 20_000**0.5)
    assert means.std() == pytest.approx(error, rel=0.03)  # the standard error of a deviation of 20,000 is 0.5 %


def test_a_drawn_mean_is_over_images_and_not_over_units(seed: int) -> None:
    """Units of the ratio 1/3 and of the ratio 1/2 give means of 4 over the images that were drawn."""
    alone = Units(np.array([1.0]), np.array([3.0]), np.array([4]))
    mixed = Units(np.array([1.0, 1.0]), np.array([2.0, 3.0]), np.array([2, 2]))
    # a of 4 drawn are of size 2: 4 / (2 a + 3 (4 - a)) = 4 / (12 - a)
    possible = {4 / (12 - a) for a in range(5)}

    assert resampled_means(alone, seed=seed, draws=3).tolist() == [1 / 3] * 3
    assert set(resampled_means(mixed, seed=seed, draws=1000)) == possible


def test_as_many_means_as_draws_also_in_chunks() -> None:
    """With 2,500 kinds of units 1,700 draws do not fit into one chunk, and each is still made once and is new."""
    kinds = Units(np.sqrt(np.arange(2500.0)), np.ones(2500), np.ones(2500, np.int64))

    means = resampled_means(kinds, seed=0, draws=1700)

    assert len(np.unique(means)) == len(means) == 1700


def test_a_seed_fixes_the_draws() -> None:
    """The same seed gives the same means; another seed gives others."""
    kinds = Units(np.array([0.0, 1.0]), np.ones(2), np.array([20, 30]))

    once, again, other = (resampled_means(kinds, seed=seed, draws=50) for seed in (1, 1, 2))

    assert once.tolist() == again.tolist()
    assert once.tolist() != other.tolist()
