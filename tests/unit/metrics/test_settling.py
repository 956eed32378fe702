"""What would settle an answer, against predictive probabilities that are integrated and not simulated."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import chi2, norm
from scipy.stats import t as student

from unfreeze.core.errors import InputError
from unfreeze.metrics.repeated import StepEstimate
from unfreeze.metrics.settling import what_would_settle

MANY = 40_000  # draws: the standard error of a probability of 0.8 is 0.002


def measured(
    difference: float,
    *,
    splits: int = 5,
    units: int = 100,
    split_variance: float | None = 4e-4,
    least_variance: float = 0.0,
    test_fraction: float = 0.2,
    level: float = 0.95,
) -> StepEstimate:
    """A study that was measured so far; the margin is one point."""
    return StepEstimate(
        difference=difference,
        interval=None,
        worse=None,
        equivalent=None,
        better=None,
        answer="cannot tell",
        splits=splits,
        units=units,
        standard_error=None,
        degrees_of_freedom=None,
        split_variance=split_variance,
        least_variance=least_variance,
        test_fraction=test_fraction,
        margin=0.01,
        level=level,
    )


def integrated(
    now: StepEstimate, moved: Callable[[np.ndarray], np.ndarray], squares: np.ndarray, *, planned: int, times: float
) -> float:
    """Mean over the variances of the normal probability to end up further from the margin than half the interval.

    Rows are true variances, columns are chi-squared variates, `moved` is by which variance the difference moves.
    """
    factor = 1 / planned + now.test_fraction / (1 - now.test_fraction)
    of_splits = student.ppf(0.5 + now.level / 2, planned - 1) * np.sqrt(squares / (planned - 1) * factor)
    freedom = max(2, round(now.units * times)) - 1
    of_images = student.ppf(0.5 + now.level / 2, freedom) * np.sqrt(now.least_variance / times * factor)
    half, spread = np.maximum(of_splits, of_images), np.sqrt(moved(true_variances(now)))
    away = now.difference - now.margin
    return float(np.mean(norm.sf((half - away) / spread) + norm.cdf((-half - away) / spread)))


def quantiles(freedom: int) -> np.ndarray:
    """Two hundred chi-squared variates that stand for all of them."""
    return chi2.ppf((np.arange(200) + 0.5) / 200, freedom)


def true_variances(now: StepEstimate) -> np.ndarray:
    """Scaled inverse chi-squared about what the splits showed, and no less than the images allow; a column."""
    assert now.split_variance is not None
    drawn = (now.splits - 1) * now.split_variance / quantiles(now.splits - 1)
    return np.maximum(drawn, now.least_variance)[:, None]


def chance_with_splits(now: StepEstimate, planned: int) -> float:
    """With more splits of the same images their mean moves by s²(1/k - 1/k'), and their squares join the old ones."""
    assert now.split_variance is not None
    old = (now.splits - 1) * now.split_variance
    squares = old + true_variances(now) * quantiles(planned - now.splits)
    return integrated(now, lambda s2: s2 * (1 / now.splits - 1 / planned), squares, planned=planned, times=1)


def chance_with_images(now: StepEstimate, times: float, planned: int) -> float:
    """With more images the old splits' error goes, new splits bring theirs, and 1 - 1/times of the images is new."""
    of_images = now.test_fraction / (1 - now.test_fraction)
    squares = true_variances(now) / times * quantiles(planned - 1)

    def moved(s2: np.ndarray) -> np.ndarray:
        return s2 * of_images * (1 - 1 / times) + s2 / now.splits + s2 / times / planned

    return integrated(now, moved, squares, planned=planned, times=times)


STUDIES = [
    measured(0.0, split_variance=4e-4),  # the splits say how far off it may be
    measured(0.0, split_variance=4e-4, test_fraction=0.5, level=0.8),
    measured(0.0, split_variance=1e-8, least_variance=4e-4),  # the images say it
    measured(0.0, split_variance=1e-8, least_variance=4e-4, units=4),
    measured(0.0, split_variance=1e-8, least_variance=4e-6, units=1),
    measured(0.0, split_variance=2e-4, least_variance=2e-4, units=30, test_fraction=0.3),
    measured(0.0, splits=8, split_variance=4e-4, least_variance=1e-4),
]


def nearest(enough: Callable[[float], bool]) -> float:
    """The smallest distance from the margin, up to a quarter, that is enough; by bisection."""
    near, far = 0.0, 0.25
    for _ in range(16):
        middle = (near + far) / 2
        near, far = (near, middle) if enough(middle) else (middle, far)
    return far


def settled_by(now: StepEstimate, times: float, planned: int, *, side: int = 1) -> StepEstimate:
    """The study at the difference that so many times the images settle with a chance of 80 %."""

    def at(away: float) -> StepEstimate:
        return replace(now, difference=now.margin + side * away)

    return at(nearest(lambda away: chance_with_images(at(away), times, planned) >= 0.8))


@pytest.mark.parametrize("now", STUDIES)
@pytest.mark.parametrize(("planned", "side"), [(10, 1), (20, 1), (20, -1)])
def test_splits_are_named_from_a_chance_of_80_percent(now: StepEstimate, planned: int, side: int) -> None:
    """The smallest gain or loss beyond the margin that so many splits would settle is settled with a chance of 80 %."""
    now = replace(now, splits=now.splits if planned == 10 else 10)  # then no other look lies between

    def at(away: float) -> StepEstimate:
        return replace(now, difference=now.margin + side * away)

    found = nearest(
        lambda away: what_would_settle(at(away), images=100, splits=planned, seed=0, draws=MANY).splits == planned
    )

    assert chance_with_splits(at(found), planned) == pytest.approx(0.8, abs=0.012)


@pytest.mark.parametrize("now", STUDIES)
@pytest.mark.parametrize(("planned", "side", "times"), [(20, 1, 2.4), (10, 1, 2.6), (10, -1, 2.2), (5, 1, 3.5)])
def test_images_are_named_from_a_chance_of_80_percent(now: StepEstimate, planned: int, side: int, times: float) -> None:
    """At a difference that so many times the images settle with a chance of 80 %, about as many are asked for."""
    asked = settled_by(now, times, planned, side=side)

    said = what_would_settle(asked, images=1000, splits=planned, seed=0, draws=MANY)

    assert said.splits is None
    assert said.more_images is not None
    assert chance_with_images(asked, 1 + said.more_images / 1000, planned) == pytest.approx(0.8, abs=0.012)


def in_between(images: int, added: int) -> StepEstimate:
    """A study for which so many more images do and one fewer does not, with room on both sides."""
    now = measured(0.0, split_variance=1e-8, least_variance=4e-4, units=images)
    all_of_them, one_less = (settled_by(now, 1 + number / images, 10).difference for number in (added, added - 1))
    return replace(now, difference=(all_of_them + one_less) / 2)


@pytest.mark.parametrize(
    ("images", "added"), [(1, 1), (1, 2), (1, 3), (2, 3), (4, 3), (4, 7), (4, 11), (5, 4), (6, 10)]
)
def test_the_fewest_images_that_do_are_asked_for(images: int, added: int) -> None:
    """Between the differences that need one image fewer and that need all of them, exactly so many are named."""
    said = what_would_settle(in_between(images, added), images=images, splits=10, seed=0, draws=MANY)

    assert (said.splits, said.more_images) == (None, added)


def test_four_times_the_images_are_the_furthest_that_is_read() -> None:
    """A study that needs a little more than four times its images is promised nothing."""
    now = in_between(100, 301)

    said = what_would_settle(replace(now, difference=now.difference - 0.001), images=100, splits=10, seed=0, draws=MANY)

    assert (said.splits, said.more_images, said.more_images_range) == (None, None, None)


def test_images_are_said_between_round_numbers() -> None:
    """A number lies between neighbours among 1, 1.5, 2, 3, 5, 7, 10 and so on, and a round one begins its range."""
    rounded = [step * 10**power for power in range(5) for step in (1, 1.5, 2, 3, 5, 7)]
    now = settled_by(measured(0.0, split_variance=1e-8, least_variance=4e-4), 1.9, 5)
    seen = set()
    for images in [*range(1, 130), *range(130, 2000, 17)]:
        said = what_would_settle(now, images=images, splits=5, seed=0, draws=2000)
        assert said.more_images is not None
        low = max(number for number in rounded if number <= said.more_images)
        high = min(number for number in rounded if number > low and number >= said.more_images)
        assert said.more_images_range == (int(low), int(np.ceil(high)))  # half an image cannot be had: 1 is 1 to 2
        seen.add(said.more_images)

    assert {1, 2, 3, 4, 10, 15, 20, 100} <= seen
    assert max(seen) > 1000


def test_the_fewest_splits_that_do_are_named_of_those_that_can_be_had() -> None:
    """A clear gain is settled at the next look (5, 10 or 20 splits), if it can be reached; images are not asked for."""
    clear = measured(0.5, splits=2, split_variance=1e-6)

    def named(splits: int, planned: int) -> tuple[int | None, int | None]:
        said = what_would_settle(replace(clear, splits=splits), images=100, splits=planned, seed=0)
        return said.splits, said.more_images

    assert [named(2, 5), named(2, 20), named(5, 20), named(9, 10), named(10, 20)] == [
        (5, None), (5, None), (10, None), (10, None), (20, None),
    ]  # fmt: skip
    assert named(5, 9)[0] is None
    assert named(20, 20)[0] is None


def test_a_seed_fixes_the_prospect() -> None:
    """The same seed gives the same number of images; of other seeds most give another."""
    now = settled_by(measured(0.0), 2, 5)

    def asked(seed: int) -> int | None:
        return what_would_settle(now, images=10_000, splits=5, seed=seed, draws=500).more_images

    assert asked(1) is not None
    assert asked(1) == asked(1)
    assert len({asked(seed) for seed in range(5)}) > 2


def test_planning_refuses_too_little() -> None:
    """One measured split, four planned ones or no image are refused, and one image and five splits are not."""
    now = measured(0.0)
    with pytest.raises(
        InputError,
        match=r"^What would settle an answer .* at least 5 splits to plan for.*; got 5 splits, 4 planned, 9 im",
    ):
        what_would_settle(now, images=9, splits=4, seed=0)
    with pytest.raises(InputError, match="0 images"):
        what_would_settle(now, images=0, splits=20, seed=0)
    with pytest.raises(InputError, match="at least two splits"):
        what_would_settle(replace(now, splits=1, split_variance=None), images=9, splits=20, seed=0)

    assert what_would_settle(now, images=1, splits=5, seed=0).splits is None
