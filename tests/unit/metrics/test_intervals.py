"""Wilson's interval and the bootstrap over groups, against SciPy."""

import numpy as np
import pytest
from scipy.stats import binom, binomtest

from unfreeze.core.errors import InputError
from unfreeze.metrics.intervals import accuracy_interval, wilson


@pytest.mark.parametrize(("right", "number"), [(0, 7), (1, 10), (3, 10), (9, 10), (10, 10), (70, 81), (1, 1)])
@pytest.mark.parametrize("level", [0.5, 0.8, 0.95])
def test_wilson_is_that_of_scipy(right: int, number: int, level: float) -> None:
    """At every level both ends equal SciPy's Wilson interval."""
    theirs = binomtest(right, number).proportion_ci(level, method="wilson")

    ours = wilson(float(right), number, level=level)

    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=1e-12)


def test_wilson_covers_95_percent_unless_told_otherwise() -> None:
    """Without a level both ends are SciPy's at 0.95."""
    theirs = binomtest(6, 20).proportion_ci(0.95, method="wilson")

    assert wilson(6.0, 20).low == pytest.approx(theirs.low)
    assert wilson(6.0, 20).high == pytest.approx(theirs.high)


def test_none_and_all_right_end_exactly_at_zero_and_one() -> None:
    """Rounding leaves nothing at the two ends, and nothing beyond them where a part of a success is missing."""
    for number in range(1, 300):
        assert wilson(0.0, number).low == 0
        assert wilson(float(number), number).high == 1
        assert wilson(np.nextafter(0.0, 1.0), number).low >= 0
        assert wilson(float(np.nextafter(number, 0)), number).high <= 1


def test_single_images_get_wilsons_interval() -> None:
    """Without groups the interval of 13 right of 20 is Wilson's at the level that was asked for."""
    correct = np.arange(20) < 13
    theirs = binomtest(13, 20).proportion_ci(0.8, method="wilson")

    found = accuracy_interval(correct, seed=0, level=0.8)

    assert (found.low, found.high) == pytest.approx((theirs.low, theirs.high))


def test_groups_that_score_alike_count_once_each() -> None:
    """Six groups, half right each and of two and four images, are six attempts of which three succeed."""
    correct = np.array([True, False] * 9)
    groups = list("aabbcc" + "dddd" + "eeee" + "ffff")
    theirs = binomtest(3, 6).proportion_ci(0.95, method="wilson")

    found = accuracy_interval(correct, groups, seed=0)

    assert (found.low, found.high) == pytest.approx((theirs.low, theirs.high))


@pytest.mark.parametrize("level", [0.6, 0.8])
def test_the_bootstrap_over_groups_has_the_quantiles_of_the_binomial(level: float, seed: int) -> None:
    """Of 40 pairs, 24 all right and 16 all wrong, resampled sets are right as often as Binomial(40, 0.6) says."""
    correct = np.repeat(np.arange(40) < 24, 2)
    groups = [f"{image // 2}" for image in range(80)]

    found = accuracy_interval(correct, groups, seed=seed, level=level, draws=20_000)

    assert found.low == pytest.approx(binom.ppf(0.5 - level / 2, 40, 0.6) / 40)
    assert found.high == pytest.approx(binom.ppf(0.5 + level / 2, 40, 0.6) / 40)


def test_groups_whose_right_images_times_size_agree_are_resampled(seed: int) -> None:
    """Ten pairs that are all right and ten fours with one right give the quantiles of a ratio of binomials."""
    # a of the 20 drawn are pairs, a being Binomial(20, 1/2): the share is (2 a + (20 - a)) / (2 a + 4 (20 - a))
    correct = np.concatenate([np.ones(20, bool), np.arange(40) % 4 == 0])
    groups = [f"pair {image // 2}" for image in range(20)] + [f"four {image // 4}" for image in range(40)]
    low, high = (2 * a + (20 - a) for a in (7, 13)), (2 * a + 4 * (20 - a) for a in (7, 13))
    expected = [part / whole for part, whole in zip(low, high, strict=True)]
    assert binom.ppf([0.1, 0.9], 20, 0.5).tolist() == [7, 13]

    found = accuracy_interval(correct, groups, seed=seed, level=0.8, draws=20_000)

    assert (found.low, found.high) == pytest.approx(expected)


def test_a_seed_fixes_the_interval() -> None:
    """The same seed draws the same sets; another seed draws others."""
    rng = np.random.default_rng(0)
    correct, groups = rng.random(90) < 0.7, [f"{number}" for number in rng.integers(0, 20, 90)]

    once, again = (accuracy_interval(correct, groups, seed=3, draws=500) for _ in range(2))
    other = accuracy_interval(correct, groups, seed=4, draws=500)

    assert once == again
    assert once != other


def test_no_images_have_no_interval() -> None:
    """Without an image there is an error and no interval from 0 to 1."""
    with pytest.raises(InputError, match="at least one image"):
        accuracy_interval(np.zeros(0, bool), seed=0)
