"""Paired differences: the three corrections one by one, each against its closed form."""

from itertools import product

import numpy as np
import pytest
from scipy.stats import binom, binomtest, norm
from scipy.stats import t as student

from unfreeze.core.errors import InputError
from unfreeze.core.records import Interval
from unfreeze.metrics.comparison import difference_over_seeds, paired_difference


def outcomes(images: int, *, gained: int, lost: int) -> tuple[np.ndarray, np.ndarray]:
    """Whether each image is right with the first and with the second; most are wrong with both."""
    first, second = np.zeros(images, bool), np.zeros(images, bool)
    second[:gained], first[gained : gained + lost] = True, True
    return first, second


def of_values(
    values: np.ndarray,
    groups: list[str] | None = None,
    *,
    level: float = 0.95,
    largest: float = 1.0,
    draws: int = 20_000,
) -> tuple[float, Interval]:
    """The comparison of a second strategy with these values against nothing, with one seed."""
    nothing = np.zeros((1, len(values)))
    return difference_over_seeds(nothing, values[None], groups, seed=0, level=level, largest=largest, draws=draws)


@pytest.mark.parametrize(("gained", "level", "low", "high"), [(12, 0.6, 9, 15), (16, 0.8, 11, 21)])
@pytest.mark.parametrize("sign", [1, -1])
def test_the_bootstrap_has_the_quantiles_of_the_binomial(
    gained: int, level: float, low: int, high: int, sign: int
) -> None:
    """Of 200 images with some gained (or lost), resampled sets gain as many as Binomial(200, share) says."""
    quantiles = binom.ppf([0.5 - level / 2, 0.5 + level / 2], 200, gained / 200)
    assert quantiles.tolist() == [low, high]

    difference, interval = of_values(sign * (np.arange(200) < gained).astype(float), level=level, largest=0.001)

    assert difference == pytest.approx(sign * gained / 200)
    assert sorted([sign * interval.low, sign * interval.high]) == pytest.approx([low / 200, high / 200])


@pytest.mark.parametrize("level", [0.8, 0.95])
def test_as_many_gained_as_lost_is_symmetric_to_the_bit(level: float) -> None:
    """Fifty gained and fifty lost of 400 give the normal interval with one more of each, or an image more."""
    first, second = outcomes(400, gained=50, lost=50)
    half = norm.ppf(0.5 + level / 2) * np.sqrt((100 / 399 + 2 / 400) / 400)

    difference, interval = paired_difference(first, second, seed=0, level=level)

    assert difference == 0
    assert interval.low == -interval.high
    assert half <= interval.high + 1e-12
    assert interval.high <= half + 1 / 400


@pytest.mark.parametrize(("gained", "lost"), [(9, 2), (2, 9), (4, 4), (1, 0)])
@pytest.mark.parametrize("grouped", [False, True])
def test_exchanging_the_two_turns_the_interval_around_to_the_bit(gained: int, lost: int, grouped: bool) -> None:
    """Second against first is minus first against second, whatever the units are."""
    first, second = outcomes(60, gained=gained, lost=lost)
    groups = [f"{int(image**1.3) // 4}" for image in range(60)] if grouped else None

    there, back = (paired_difference(*pair, groups, seed=5, draws=300) for pair in ((first, second), (second, first)))

    assert back == (-there[0], Interval(-there[1].high, -there[1].low))


@pytest.mark.parametrize("largest", [0.5, 2.0])
@pytest.mark.parametrize("sign", [1, -1])
def test_the_normal_interval_is_that_of_a_ratio_with_one_more_gained_and_lost(largest: float, sign: int) -> None:
    """For groups of different sizes the standard error is Cochran's of a ratio, plus two unseen units."""
    # with a single draw the bootstrap adds nothing, and the normal interval at 0.999 remains
    rng = np.random.default_rng(0)
    sizes = rng.integers(1, 6, 80)
    groups = np.repeat([f"{number}" for number in range(80)], sizes).tolist()
    values = sign * (rng.random(sizes.sum()) + 0.5)
    totals = np.array([part.sum() for part in np.split(values, np.cumsum(sizes)[:-1])])
    ratio = totals.sum() / sizes.sum()
    between = ((totals - ratio * sizes) ** 2).sum() / 79 / (sizes.sum() / 80) ** 2
    half = norm.ppf(0.9995) * np.sqrt((between + 2 * largest**2 / 80) / 80)

    difference, interval = of_values(values, groups, level=0.999, largest=largest, draws=1)

    assert difference == pytest.approx(ratio)
    assert (interval.low, interval.high) == pytest.approx((ratio - half, ratio + half))


@pytest.mark.parametrize("largest", [0.5, 1.0])
def test_what_never_varied_follows_the_rule_of_three(largest: float) -> None:
    """Ten groups of one and two images that all gain alike may differ by 3/10 of the largest change, to both sides."""
    groups = [f"{number}" for number in np.repeat(np.arange(10), [1, 2] * 5)]

    difference, interval = of_values(np.full(15, 0.75), groups, largest=largest)

    assert difference == pytest.approx(0.75)
    assert (interval.low, interval.high) == pytest.approx((0.75 - 0.3 * largest, 0.75 + 0.3 * largest))


def test_groups_are_the_units_of_both_comparisons() -> None:
    """Identical outcomes of 60 images in ten groups leave 3/10 open, and not 3/60."""
    correct, groups = np.arange(60) % 4 > 0, [f"{image // 6}" for image in range(60)]

    paired = paired_difference(correct, correct, groups, seed=0)
    seeds = np.tile(correct.astype(float), (2, 1))

    assert paired == (0, Interval(-3 / 10, 3 / 10))
    assert difference_over_seeds(seeds, seeds, groups, seed=0) == (0, Interval(-3 / 10, 3 / 10))


def test_groups_with_the_same_total_times_size_do_vary() -> None:
    """Singles that gain one and pairs that gain a quarter an image get a ratio's interval, not the rule of three."""
    values = np.concatenate([np.ones(10), np.full(20, 0.25)])
    groups = [f"one {number}" for number in range(10)] + [f"two {number // 2}" for number in range(20)]
    ratio = (10 * 1 + 10 * 0.5) / 30
    between = 10 * ((1 - ratio) ** 2 + (0.5 - 2 * ratio) ** 2) / 19 / 1.5**2
    half = norm.ppf(0.9995) * np.sqrt((between + 2 / 20) / 20)

    difference, interval = of_values(values, groups, level=0.999, draws=1)

    assert difference == pytest.approx(ratio)
    assert (interval.low, interval.high) == pytest.approx((ratio - half, ratio + half))


def test_differences_of_accuracies_stay_between_minus_one_and_one() -> None:
    """A single image that is gained leaves everything from -1 to 1 possible, and no more than that."""
    wrong, right = np.zeros(1, bool), np.ones(1, bool)

    assert paired_difference(wrong, right, seed=0) == (1, Interval(-1, 1))
    assert paired_difference(right, wrong, seed=0) == (-1, Interval(-1, 1))


def flipped_p(values: np.ndarray) -> float:
    """Share of all patterns of signs whose total is as far from 0 as that of the values, by enumeration."""
    totals = [abs(np.dot(signs, values)) for signs in product([-1, 1], repeat=len(values))]
    return float(np.mean(np.array(totals) >= abs(values.sum()) - 1e-9))


@pytest.mark.parametrize(
    ("values", "level"),
    [
        ([0.1, 0.2, 0.3, 0.4, 0.5], 0.95),  # p = 2/32: five coins that fall alike
        ([0.1, 0.2, 0.3, 0.4, 0.5, 0.6], 0.95),  # p = 2/64
        ([0.3, 0.3, 0.3, 0.3, 0.2], 0.95),
        ([0.3, 0.3, 0.3, 0.3, 0.3, 0.2], 0.95),
        ([0.3, 0.3, 0.3, 0.2], 0.9),  # p = 2/16
        ([0.3, 0.3, 0.3, 0.2], 0.8),
        ([0.5, 0.4, 0.5, 0.4, 0.5, 0.4, -0.1], 0.95),  # p = 4/128
        ([0.9, 0.8, 0.3, 0.2, -0.2], 0.5),
        ([0.9, 0.8, 0.3, 0.2, -0.2], 0.9),
    ],
)
@pytest.mark.parametrize("sign", [1, -1])
def test_zero_is_outside_only_if_coins_rarely_do_as_well(values: list[float], level: float, sign: int) -> None:
    """The interval ends at 0 exactly where the sign-flip test, by enumeration, gives more than 1 - level."""
    gains = sign * np.array(values)
    surely = flipped_p(gains) < 1 - level

    _, interval = of_values(gains, level=level, largest=0.001)

    nearer, further = (interval.low, interval.high) if sign == 1 else (-interval.high, -interval.low)
    assert further > 0
    assert nearer > 0 if surely else nearer == 0


@pytest.mark.parametrize(("gained", "lost"), [(3, 1), (1, 3)])
@pytest.mark.parametrize("level", [0.3, 0.5])
def test_single_images_need_mcnemars_exact_test(gained: int, lost: int, level: float) -> None:
    """Three images against one, where McNemar's p is 10/16, exclude 0 at a level of 0.3 and not at 0.5."""
    p = binomtest(gained, 4).pvalue
    assert p == pytest.approx(10 / 16)

    _, interval = paired_difference(*outcomes(200, gained=gained, lost=lost), seed=0, level=level)

    nearer = interval.low if gained > lost else -interval.high
    assert nearer > 0 if p < 1 - level else nearer == 0


@pytest.mark.parametrize("level", [0.8, 0.95])
def test_images_and_seeds_are_added_in_quadrature(level: float) -> None:
    """Seeds that gain 0.5, 0.6 and 0.7 on each of 30 images add t times 0.1/sqrt(3) to the 3/30 of the images."""
    second = np.array([[0.5], [0.6], [0.7]]) * np.ones(30)
    seeds = student.ppf(0.5 + level / 2, 2) * 0.1 / np.sqrt(3)

    difference, interval = difference_over_seeds(np.zeros((3, 30)), second, seed=0, level=level)

    assert difference == pytest.approx(0.6)
    assert (interval.low, interval.high) == pytest.approx((0.6 - np.hypot(0.1, seeds), 0.6 + np.hypot(0.1, seeds)))


def test_the_two_sides_are_added_each_by_itself() -> None:
    """A lopsided interval of the images stays lopsided when the seeds' distance is added to either side."""
    images = np.zeros(200)
    images[:3] = [1.0, 0.9, 0.8]
    shifts = np.array([[-0.001], [0.001]])
    seeds = student.ppf(0.9, 1) * np.sqrt(2) * 0.001 / np.sqrt(2)

    middle, narrow = of_values(images, level=0.8, largest=0.001, draws=4000)
    _, wide = difference_over_seeds(np.zeros((2, 200)), images + shifts, seed=0, level=0.8, largest=0.001, draws=4000)

    assert narrow.high - middle != pytest.approx(middle - narrow.low, rel=0.01)
    assert middle - wide.low == pytest.approx(np.hypot(middle - narrow.low, seeds))
    assert wide.high - middle == pytest.approx(np.hypot(narrow.high - middle, seeds))


def test_a_seed_fixes_the_interval() -> None:
    """The same seed draws the same sets; another seed draws others."""
    rng = np.random.default_rng(0)
    values = rng.normal(0.1, 1, 50)
    first, second = (rng.random(300) < share for share in (0.4, 0.6))

    def both(seed: int) -> tuple[Interval, Interval]:
        over_seeds = difference_over_seeds(np.zeros((1, 50)), values[None], seed=seed, draws=200, largest=0.001)
        return over_seeds[1], paired_difference(first, second, seed=seed, draws=200)[1]

    assert both(1) == both(1)
    assert both(1)[0] != both(2)[0]


def test_a_seed_fixes_whether_zero_is_excluded() -> None:
    """Where the coins' probability, 2/32, is just what the level leaves, each seed says yes or no and stays with it."""
    values = np.array([[0.1, 0.2, 0.3, 0.4, 0.5]])

    def excluded(seed: int) -> bool:
        found = difference_over_seeds(np.zeros((1, 5)), values, seed=seed, level=30 / 32, largest=0.001)
        return found[1].low > 0

    once, again = ([excluded(seed) for seed in range(30)] for _ in range(2))
    assert once == again
    assert set(once) == {False, True}


def test_no_images_have_no_difference() -> None:
    """Without an image there is an error, as there is where groups are missing."""
    with pytest.raises(InputError, match="got 0 images"):
        paired_difference(np.zeros(0, bool), np.zeros(0, bool), seed=0)
    with pytest.raises(InputError, match="got 2 images and 1 groups"):
        difference_over_seeds(np.zeros((3, 2)), np.ones((3, 2)), ["a"], seed=0)
