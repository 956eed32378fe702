"""What would settle an answer, against simulated studies whose variances are known."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm
from scipy.stats import t as student

from unfreeze.core.errors import InputError
from unfreeze.metrics.repeated import StepEstimate
from unfreeze.metrics.settling import OF_FITS, chance_of_settling, what_would_settle


def measured(
    difference: float,
    *,
    splits: int = 5,
    units: int = 100,
    image_variance: float = 4e-4,
    training_variance: float = 0.0,
    fit_variance: float = 0.0,
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
        standard_error=(image_variance + training_variance + fit_variance) ** 0.5,
        degrees_of_freedom=units - 1.0,
        image_variance=image_variance,
        training_variance=training_variance,
        fit_variance=fit_variance,
        margin=0.01,
        level=level,
    )


def chance(now: StepEstimate, *, moved: float, then: float, units: int) -> float:
    """That a normal difference with variance `moved` about the one of now ends up beyond half its interval of then."""
    half = student.ppf(0.5 + now.level / 2, max(1, units - 1)) * then**0.5
    away = norm(now.difference - now.margin, moved**0.5)
    return float(away.sf(half) + away.cdf(-half))


def chance_with_splits(now: StepEstimate, planned: int) -> float:
    """Of the images' variance after one round, 0.4 goes with fits and is divided by rounds; what fits add is too."""
    rounds, more = now.splits / 5, planned / 5
    one_round = now.image_variance / (0.6 / min(1.0, rounds) + 0.4 / rounds)
    training_sets = now.training_variance * min(1.0, rounds)
    fits = 0.4 * one_round / more + now.fit_variance * rounds / more
    then = (0.6 * one_round + training_sets) / min(1.0, more) + fits
    before = now.image_variance + now.training_variance + now.fit_variance
    return chance(now, moved=before - then, then=then, units=now.units)


def chance_with_images(now: StepEstimate, times: float, planned: int) -> float:
    """The old images are among the new ones, and all fits are new: their old part goes, and their new part comes."""
    rounds, more = now.splits / 5, planned / 5
    one_round = now.image_variance / (0.6 / min(1.0, rounds) + 0.4 / rounds)
    of_images = 0.6 * one_round + now.training_variance * min(1.0, rounds)
    images, fits = of_images / min(1.0, rounds), 0.4 * one_round / rounds + now.fit_variance
    new_images = of_images / times
    new_fits = (0.4 * one_round / more + now.fit_variance * rounds / more) / times
    moved = images - new_images + fits + new_fits
    return chance(now, moved=moved, then=new_images + new_fits, units=round(now.units * times))


STUDIES = [
    measured(0.0),
    measured(0.0, level=0.8),
    measured(0.0, units=4),
    measured(0.0, fit_variance=3e-4),
    measured(0.0, training_variance=2e-4),
    measured(0.0, splits=10, fit_variance=1e-4),
]


def nearest(enough: Callable[[float], bool]) -> float:
    """The smallest distance from the margin, up to a quarter, that is enough; by bisection."""
    near, far = 0.0, 0.25
    for _ in range(20):
        middle = (near + far) / 2
        near, far = (near, middle) if enough(middle) else (middle, far)
    return far


def settled_with(now: StepEstimate, times: float, planned: int, *, side: int = 1) -> StepEstimate:
    """The study at the difference that so many times the images settle with a chance of 80 %."""

    def at(away: float) -> StepEstimate:
        return replace(now, difference=now.margin + side * away)

    return at(nearest(lambda away: chance_with_images(at(away), times, planned) >= 0.8))


def test_the_part_of_fits_is_what_it_is_said_to_be() -> None:
    """The closed forms of this file have it as 0.4."""
    assert OF_FITS == 0.4


@pytest.mark.parametrize("now", STUDIES)
@pytest.mark.parametrize(("planned", "side"), [(10, 1), (20, 1), (20, -1)])
def test_splits_are_named_from_a_chance_of_80_percent(now: StepEstimate, planned: int, side: int) -> None:
    """The smallest gain or loss beyond the margin that so many splits would settle is settled with a chance of 80 %."""
    now = replace(now, splits=5 if planned == 10 else 10)  # then no other look lies between

    def at(away: float) -> StepEstimate:
        return replace(now, difference=now.margin + side * away)

    found = nearest(lambda away: what_would_settle(at(away), images=100, splits=planned).splits == planned)

    assert chance_with_splits(at(found), planned) == pytest.approx(0.8, abs=1e-4)


@pytest.mark.parametrize("now", STUDIES)
@pytest.mark.parametrize(("planned", "side", "times"), [(10, 1, 2.6), (10, -1, 3.2), (20, 1, 3.8)])
def test_images_are_named_from_a_chance_of_80_percent(now: StepEstimate, planned: int, side: int, times: float) -> None:
    """At a difference that so many times the images settle with a chance of 80 %, as many are asked for."""
    now = replace(now, splits=planned)  # no more splits can be had
    asked = settled_with(now, times, planned, side=side)

    said = what_would_settle(asked, images=10_000, splits=planned)

    assert said.splits is None
    assert said.more_images == pytest.approx((times - 1) * 10_000, rel=1e-3)


@pytest.mark.parametrize("now", STUDIES)
@pytest.mark.parametrize("away", [-0.05, 0.0, 0.004, 0.02, 0.1])
def test_the_chance_of_settling_is_that_of_so_many_splits(now: StepEstimate, away: float) -> None:
    """As the closed form has it, on both sides of the margin; none is left where there are so many splits already."""
    now = replace(now, difference=now.margin + away)

    assert chance_of_settling(now, splits=20) == pytest.approx(chance_with_splits(now, 20), abs=1e-9)
    assert chance_of_settling(replace(now, splits=20), splits=20) == 0.0


def test_a_difference_is_predicted_as_it_then_moves(rng: np.random.Generator) -> None:
    """Of 4,000 simulated studies that are given 20 folds, as many settle as is closed-form probable, from a flat prior.

    Each has a true difference, a deviation of its images, which stay, and one of the fits of each round.
    """
    images, fits, half = 0.6 * 4e-4, 0.4 * 4e-4, student.ppf(0.975, 99)
    now = measured(0.05)
    truth = now.difference - rng.normal(0, (images + fits) ** 0.5, 4000)  # given what was measured
    first = now.difference - truth  # of images and the first round together
    of_images = first * images / (images + fits) + rng.normal(0, (images * fits / (images + fits)) ** 0.5, 4000)
    of_fits = (first - of_images) / 4 + rng.normal(0, (fits * 3) ** 0.5 / 4, 4000)
    then = truth + of_images + of_fits
    settled = np.abs(then - now.margin) > half * (images + fits / 4) ** 0.5

    assert np.mean(settled) == pytest.approx(chance_with_splits(now, 20), abs=0.025)


def test_rounds_are_named_and_images_are_not() -> None:
    """Where rounds would do, no image is asked for, however many fewer of them would do as well."""
    for difference in np.linspace(0.02, 0.09, 40):
        for study in STUDIES:
            said = what_would_settle(replace(study, difference=difference, splits=5), images=100, splits=20)
            assert said.splits is None or (said.more_images, said.more_images_range) == (None, None)
    clear = what_would_settle(measured(0.06), images=100, splits=20)
    assert (clear.splits, clear.more_images) == (10, None)


def test_a_difference_at_the_margin_is_not_settled_by_four_times_the_data() -> None:
    """Where the truth seems to lie at the margin, nothing is promised."""
    said = what_would_settle(measured(0.01, image_variance=1e-3), images=100, splits=20)

    assert (said.splits, said.more_images, said.more_images_range) == (None, None, None)


def test_folds_that_tested_a_part_of_the_images_are_completed_first() -> None:
    """Two of five folds leave three fifths of the images untested: a whole round has 0.4 of their variance."""
    now = measured(0.0, splits=2)

    def at(away: float) -> StepEstimate:
        return replace(now, difference=now.margin + away)

    found = at(nearest(lambda away: what_would_settle(at(away), images=100, splits=5).splits == 5))

    assert chance(found, moved=0.6 * 4e-4, then=0.4 * 4e-4, units=100) == pytest.approx(0.8, abs=1e-4)


def test_images_that_no_fold_tested_are_at_hand() -> None:
    """After two folds of five, what images make falls by testing the others, before any new ones come."""
    asked = settled_with(measured(0.0, splits=2), 3.0, 5)

    said = what_would_settle(asked, images=10_000, splits=5)

    assert (said.splits, said.more_images) == (None, pytest.approx(20_000, rel=1e-3))


def in_between(images: int, added: int) -> StepEstimate:
    """A study for which so many more images do and one fewer does not, with room on both sides."""
    now = measured(0.0, splits=10, units=images)
    all_of_them, one_less = (settled_with(now, 1 + number / images, 10).difference for number in (added, added - 1))
    return replace(now, difference=(all_of_them + one_less) / 2)


@pytest.mark.parametrize(("images", "added"), [(10, 7), (10, 21), (40, 61), (500, 731)])
def test_the_fewest_images_that_do_are_asked_for(images: int, added: int) -> None:
    """Between the differences that need one image fewer and that need all of them, exactly so many are named."""
    said = what_would_settle(in_between(images, added), images=images, splits=10)

    assert (said.splits, said.more_images) == (None, added)


def test_four_times_the_images_are_the_furthest_that_is_read() -> None:
    """A study that needs a little more than four times its images is promised nothing."""
    said = what_would_settle(in_between(100, 302), images=100, splits=10)

    assert (said.splits, said.more_images, said.more_images_range) == (None, None, None)


def test_images_are_said_between_round_numbers() -> None:
    """A number lies between neighbours among 1, 1.5, 2, 3, 5, 7, 10 and so on, and a round one begins its range."""
    rounded = [step * 10**power for power in range(5) for step in (1, 1.5, 2, 3, 5, 7)]
    now = settled_with(measured(0.0), 1.9, 5)
    seen = set()
    for images in [*range(1, 130), *range(130, 2000, 17)]:
        said = what_would_settle(now, images=images, splits=5)
        assert said.more_images is not None
        low = max(number for number in rounded if number <= said.more_images)
        high = min(number for number in rounded if number > low and number >= said.more_images)
        assert said.more_images_range == (int(low), int(np.ceil(high)))  # half an image cannot be had: 1 is 1 to 2
        seen.add(said.more_images)

    assert {1, 2, 3, 4, 10, 15, 20, 100} <= seen
    assert max(seen) > 1000


def test_the_fewest_splits_that_do_are_named_of_those_that_can_be_had() -> None:
    """A clear gain is settled at the next look (5, 10 or 20 splits), if it can be reached; images are not asked for."""
    clear = measured(0.5, splits=2, image_variance=1e-6)

    def named(splits: int, planned: int) -> tuple[int | None, int | None]:
        said = what_would_settle(replace(clear, splits=splits), images=100, splits=planned)
        return said.splits, said.more_images

    assert [named(2, 5), named(2, 20), named(5, 20), named(9, 10), named(10, 20)] == [
        (5, None), (5, None), (10, None), (10, None), (20, None),
    ]  # fmt: skip
    assert named(5, 9)[0] is None
    assert named(20, 20)[0] is None


def test_planning_refuses_too_little() -> None:
    """One measured fold, one planned or no image are refused; one image and two folds are not."""
    now = measured(0.0)
    with pytest.raises(
        InputError, match=r"^What would settle an answer .* at least 2 folds, as many to plan for.*; got 5 folds, 1 pl"
    ):
        what_would_settle(now, images=9, splits=1)
    with pytest.raises(InputError, match="0 images"):
        what_would_settle(now, images=0, splits=20)
    with pytest.raises(InputError, match="got 1 folds"):
        what_would_settle(replace(now, splits=1, standard_error=None), images=9, splits=20)

    assert what_would_settle(now, images=1, splits=2).splits is None
