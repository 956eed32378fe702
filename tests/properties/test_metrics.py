"""What must hold of intervals and comparisons whatever the outcomes are."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from unfreeze.metrics.comparison import paired_difference
from unfreeze.metrics.intervals import accuracy_interval, wilson

OUTCOMES = st.lists(st.tuples(st.booleans(), st.booleans(), st.sampled_from(["", "a", "b", "c", "d"])), min_size=1)
few = settings(max_examples=60, deadline=None)


def unzip(outcomes: list[tuple[bool, bool, str]]) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Columns of the outcomes."""
    first, second, groups = zip(*outcomes, strict=True)
    return np.array(first), np.array(second), list(groups)


@few
@given(OUTCOMES, st.booleans(), st.integers(0, 5))
def test_exchanging_the_two_flips_the_sign(outcomes: list, grouped: bool, seed: int) -> None:
    """Second against first is minus first against second, to the bit."""
    first, second, groups = unzip(outcomes)
    given_groups = groups if grouped else None

    difference, interval = paired_difference(first, second, given_groups, seed=seed, draws=200)
    back, turned = paired_difference(second, first, given_groups, seed=seed, draws=200)

    assert (back, turned.low, turned.high) == (-difference, -interval.high, -interval.low)


@few
@given(OUTCOMES, st.integers(2, 4))
def test_copies_inside_their_groups_prove_nothing_new(outcomes: list, times: int) -> None:
    """Every image several times, in its group, leaves difference and interval as they are."""
    first, second, groups = unzip(outcomes)
    groups = [group or f"own {index}" for index, group in enumerate(groups)]

    once = paired_difference(first, second, groups, seed=0, draws=200)
    copied = paired_difference(np.tile(first, times), np.tile(second, times), groups * times, seed=0, draws=200)

    np.testing.assert_allclose([copied[0], copied[1].low, copied[1].high], [once[0], once[1].low, once[1].high])


@few
@given(OUTCOMES, st.booleans())
def test_intervals_hold_what_was_measured(outcomes: list, grouped: bool) -> None:
    """The difference and the accuracy lie inside their intervals, which have a width and stay in range."""
    first, second, groups = unzip(outcomes)
    given_groups = groups if grouped else None

    difference, interval = paired_difference(first, second, given_groups, seed=0)
    of_accuracy = accuracy_interval(first, given_groups, seed=0)

    assert -1 <= interval.low <= interval.high <= 1
    assert interval.low < interval.high
    assert interval.low - 1e-9 <= difference <= interval.high + 1e-9
    assert 0 <= of_accuracy.low < of_accuracy.high <= 1
    assert of_accuracy.low - 1e-9 <= first.mean() <= of_accuracy.high + 1e-9


@given(st.integers(1, 200))
def test_identical_outcomes_follow_the_rule_of_three(images: int) -> None:
    """Two that are right on the same images have the difference 0, and 3/n to both sides of it."""
    correct = np.arange(images) % 3 == 0

    difference, interval = paired_difference(correct, correct, seed=0)

    assert difference == 0
    assert (interval.low, interval.high) == (-min(1, 3 / images), min(1, 3 / images))


@given(st.integers(0, 50), st.integers(1, 50))
def test_more_images_make_a_narrower_interval(right: int, wrong: int) -> None:
    """At the same accuracy ten times the images give a narrower interval."""
    small, large = wilson(float(right), right + wrong), wilson(10.0 * right, 10 * (right + wrong))

    assert large.high - large.low < small.high - small.low


def test_empty_groups_are_groups_of_their_own() -> None:
    """An image with the group "" counts alone, so that only empty groups equal no groups at all."""
    correct = np.arange(40) % 4 > 0

    assert accuracy_interval(correct, [""] * 40, seed=0) == accuracy_interval(correct, seed=0)
