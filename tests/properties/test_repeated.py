"""What must hold of a step measured on repeated splits, whatever the outcomes are."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unfreeze.metrics.repeated import StepEstimate, compare_splits
from unfreeze.metrics.selection_bias import corrected_winner
from unfreeze.metrics.settling import what_would_settle

few = settings(max_examples=60, deadline=None)
FRACTION = 0.2
Splits = tuple[list[np.ndarray], list[np.ndarray], list[np.ndarray]]


def splits_of(first: np.ndarray, second: np.ndarray, units: np.ndarray, *, splits: int, seed: int) -> Splits:
    """Outcomes on the test parts of random splits by unit, and the units of their images."""
    rng = np.random.default_rng(seed)
    names = np.unique(units)
    tests = []
    for _ in range(splits):
        drawn = rng.choice(names, max(1, round(FRACTION * len(names))), replace=False)
        tests.append(np.flatnonzero(np.isin(units, drawn)))
    return [first[test] for test in tests], [second[test] for test in tests], [units[test] for test in tests]


def estimate(outcomes: Splits, *, margin: float = 0.01) -> StepEstimate:
    """What the splits say."""
    first, second, units = outcomes
    return compare_splits(first, second, units=units, test_fraction=FRACTION, margin=margin)


def random_outcomes(seed: int, *, images: int = 100, gain: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Right or wrong with two strategies that share most of their mistakes."""
    rng = np.random.default_rng(seed)
    first = (rng.random(images) < 0.8).astype(float)
    changed = rng.random(images) < 0.2
    return first, np.where(changed, (rng.random(images) < 0.8 + gain).astype(float), first)


@few
@given(st.integers(0, 10**6), st.sampled_from([1, 2, 4, 5, 10]), st.floats(-0.8, 0.2), st.floats(0, 0.3))
def test_exchanging_the_two_turns_everything_around(seed: int, splits: int, gain: float, margin: float) -> None:
    """The difference changes its sign, the interval is mirrored, worse and better change places."""
    first, second, units = splits_of(*random_outcomes(seed, gain=gain), np.arange(100), splits=splits, seed=seed)

    there, back = estimate((first, second, units), margin=margin), estimate((second, first, units), margin=margin)

    assert there.difference == pytest.approx(-back.difference)
    assert (there.interval is None) == (splits == 1)
    if there.interval is not None and back.interval is not None:
        assert (there.interval.low, there.interval.high) == pytest.approx((-back.interval.high, -back.interval.low))
    if there.better is not None:
        assert (there.worse, there.equivalent) == pytest.approx((back.better, back.equivalent), abs=1e-9)
    if there.answer == "worth it":
        assert back.answer == "not worth it"
    if there.answer == "equivalent":
        assert back.answer == "equivalent"


@few
@given(st.integers(1, 1200), st.integers(5, 20), st.floats(0.001, 0.05), st.sampled_from([0.1, 0.2, 0.5]))
def test_identical_outcomes_are_equivalent_only_by_the_rule_of_three(
    images: int, splits: int, margin: float, fraction: float
) -> None:
    """Nothing seen to differ in m images says "equivalent" (or anything) only if 3/m is below the margin."""
    rng = np.random.default_rng(images)
    tests = [rng.choice(images, max(1, int(fraction * images)), replace=False) for _ in range(splits)]
    outcomes = [(rng.random(len(test)) < 0.8).astype(float) for test in tests]
    tested = len(np.unique(np.concatenate(tests)))

    said = compare_splits(outcomes, outcomes, units=tests, test_fraction=fraction, margin=margin)

    assert said.interval is not None
    assert said.interval.high >= 3 / tested
    assert said.answer != "worth it"
    if said.answer != "cannot tell":
        assert 3 / tested < margin


def test_identical_outcomes_on_many_images_are_equivalent() -> None:
    """Two strategies that agree on 2,000 images are equivalent within a point."""
    outcomes = np.ones(2000)

    assert estimate(splits_of(outcomes, outcomes, np.arange(2000), splits=10, seed=0)).answer == "equivalent"


@few
@given(st.integers(0, 10**6), st.integers(2, 5), st.integers(2, 8))
def test_copies_inside_their_groups_prove_nothing_new(seed: int, times: int, splits: int) -> None:
    """Every image several times, in its group, leaves the estimate as it is."""
    first, second = random_outcomes(seed)
    groups = np.random.default_rng(seed).integers(0, 25, 100).astype(str)

    once = estimate(splits_of(first, second, groups, splits=splits, seed=seed))
    copied = [np.tile(column, times) for column in (first, second, groups)]
    often = estimate(splits_of(*copied, splits=splits, seed=seed))

    assert once.interval is not None
    assert often.interval is not None
    assert (often.interval.low, often.interval.high) == pytest.approx((once.interval.low, once.interval.high))
    assert often.answer == once.answer


def test_copies_without_groups_would_prove_something() -> None:
    """The same copies as images of their own make the interval narrower: that is why units are asked for."""
    first, second = random_outcomes(0)
    groups = np.arange(100)
    copied = [np.tile(column, 4) for column in (first, second, groups)]
    parts = splits_of(*copied, splits=5, seed=0)

    honest = estimate(parts)
    fooled = estimate((parts[0], parts[1], [np.arange(len(part)) + 1000 * k for k, part in enumerate(parts[2])]))

    assert fooled.least_variance < honest.least_variance / 3


def test_expected_interval_shrinks_with_the_images() -> None:
    """The mean width over 40 studies falls by about the root of the number of images."""
    widths = []
    for images in (100, 400, 1600):
        studies = [
            estimate(splits_of(*random_outcomes(seed, images=images), np.arange(images), splits=10, seed=seed))
            for seed in range(40)
        ]
        widths.append(np.mean([s.interval.high - s.interval.low for s in studies if s.interval is not None]))

    assert widths[0] > 1.6 * widths[1] > 1.6 * 1.6 * widths[2]


@few
@given(st.integers(0, 10**6), st.sampled_from([2, 3, 4]))
def test_few_splits_are_never_definite(seed: int, splits: int) -> None:
    """With fewer than five splits there are no probabilities and no definite answer."""
    first, second = np.zeros(500), np.ones(500)

    said = estimate(splits_of(first, second, np.arange(500), splits=splits, seed=seed))

    assert (said.worse, said.equivalent, said.better, said.answer) == (None, None, None, "cannot tell")


@few
@given(st.integers(0, 10**6))
def test_what_would_settle_is_among_what_was_considered(seed: int) -> None:
    """Splits or images, not both; up to three times as many more, inside the range that is said."""
    now = estimate(splits_of(*random_outcomes(seed, gain=0.1), np.arange(100), splits=5, seed=seed))

    said = what_would_settle(now, images=100, splits=20, seed=seed)

    assert said.splits is None or said.more_images is None
    if said.more_images is not None and said.more_images_range is not None:
        low, high = said.more_images_range
        assert 1 <= said.more_images <= 300
        assert low <= said.more_images <= high


@few
@given(st.integers(0, 10**6), st.integers(2, 4))
def test_copies_inside_their_groups_do_not_change_the_winner(seed: int, times: int) -> None:
    """Every image several times, in its group, leaves the corrected estimate as it is."""
    values = np.array(random_outcomes(seed, images=60))
    groups = [f"g{image // 3}" for image in range(60)]

    once = corrected_winner(values, groups, seed=0, draws=100)
    often = corrected_winner(np.tile(values, (1, times)), groups * times, seed=0, draws=100)

    assert often == once or often.corrected == pytest.approx(once.corrected)
