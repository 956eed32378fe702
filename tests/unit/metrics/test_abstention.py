"""Coverage and accuracy of a classifier that leaves some images open."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score

from unfreeze.core.records import Answered
from unfreeze.metrics.abstention import PROBABILITIES, abstaining_curve, answered, sure_from
from unfreeze.metrics.intervals import wilson


@given(st.lists(st.tuples(st.floats(0, 1, width=32), st.booleans()), min_size=1, max_size=50))
def test_what_is_answered_only_shrinks(images: list[tuple[float, bool]]) -> None:
    """The higher the probability, the fewer are answered; from 0 on that are all, with scikit-learn's accuracy."""
    sureness, right = np.array([sure for sure, _ in images]), np.array([is_right for _, is_right in images])
    groups = [""] * len(images)

    whole, *points = (answered(sure_from(sureness, p), right, groups, seed=0) for p in (0.0, *PROBABILITIES))

    assert whole.images == len(images)
    assert whole.accuracy == accuracy_score(np.ones(len(right), bool), right)
    assert whole.interval == wilson(int(right.sum()), len(right))
    numbers = [point.images for point in (whole, *points)]
    assert numbers == sorted(numbers, reverse=True)


def test_of_nothing_there_is_no_accuracy() -> None:
    """Where everything is left open, there is nothing to be right about."""
    found = answered(np.zeros(2, bool), np.ones(2, bool), ["", ""], seed=0)

    assert found == Answered(images=0, right=0, accuracy=None, interval=None)


def test_a_probability_counts_as_it_is_written() -> None:
    """0.8 in single precision is a little more or less than 0.8, and is written as 0.800000."""
    assert sure_from(np.array([0.8, 0.7999996, 0.79999], np.float32), 0.8).tolist() == [True, True, False]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1, width=32), st.booleans()), min_size=1, max_size=50))
def test_the_curve_has_every_whole_per_cent(images: list[tuple[float, bool]]) -> None:
    """Its last point up to a probability is what is answered from that one on, and each point answers fewer."""
    sureness, right = np.array([sure for sure, _ in images]), np.array([is_right for _, is_right in images])
    groups = [""] * len(images)

    curve = abstaining_curve(sureness, right, groups, seed=0)

    for place in range(100):
        at = [point for point in curve if point.below <= place / 100][-1]
        assert at.answered == answered(sure_from(sureness, place / 100), right, groups, seed=0)
    numbers = [point.answered.images for point in curve]
    assert (curve[0].below, numbers) == (0.0, sorted(set(numbers), reverse=True))
