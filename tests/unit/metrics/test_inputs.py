"""What metrics refuse."""

import numpy as np
import pytest

from unfreeze.core.errors import InputError
from unfreeze.metrics.accuracy import accuracy, balanced_accuracy
from unfreeze.metrics.comparison import paired_difference
from unfreeze.metrics.intervals import accuracy_interval

NONE = np.zeros(0, np.int64)


@pytest.mark.parametrize("metric", [accuracy, balanced_accuracy])
def test_no_images_have_no_accuracy(metric) -> None:
    """Nothing measured is an error, not a number."""
    with pytest.raises(InputError, match="at least one label"):
        metric(NONE, NONE)


def test_lengths_must_agree() -> None:
    """One prediction per label, one group per image."""
    with pytest.raises((InputError, TypeError)):  # where shapes are checked by type, that check speaks first
        accuracy(np.zeros(2, np.int64), np.zeros(3, np.int64))
    with pytest.raises(InputError, match="got 2 images and 1 groups"):
        accuracy_interval(np.ones(2, bool), ["a"], seed=0)
    with pytest.raises(InputError, match="got 0 images"):
        paired_difference(np.zeros(0, bool), np.zeros(0, bool), seed=0)


def test_groups_widen_the_interval_of_an_accuracy() -> None:
    """Ten images of one subject that are all right or all wrong are one piece of evidence, not ten."""
    correct = np.repeat(np.arange(20) % 2 == 0, 10)
    groups = [str(number // 10) for number in range(200)]

    alone, grouped = accuracy_interval(correct, seed=0), accuracy_interval(correct, groups, seed=0)

    assert grouped.high - grouped.low > 2 * (alone.high - alone.low)


def test_all_right_is_not_certain() -> None:
    """Six groups without a mistake do not prove that there is never one."""
    groups = [str(number // 10) for number in range(60)]

    interval = accuracy_interval(np.ones(60, bool), groups, seed=0)

    assert interval.high == 1
    assert interval.low < 0.7
