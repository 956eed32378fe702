"""When classes count as strongly unequal, and what balancing takes off."""

import numpy as np
import pytest
from sklearn.utils.class_weight import compute_sample_weight

from unfreeze.metrics.imbalance import balanced_weights, log_shares, strongly_imbalanced


@pytest.mark.parametrize(
    ("counts", "strong"),
    [
        ((50, 5), False),
        ((51, 5), True),
        ((100, 4, 20), False),
        ((100,), False),
        ((100, 100, 9), True),
        ((50, 2), True),  # nothing else is left to compare with
        ((40, 1), True),
        ((40, 4), False),
        ((100, 100, 3), False),  # three stray images
        ((100, 3, 2), True),
        ((51, 30, 19), True),  # more than half of three classes
        ((50, 30, 20), False),  # half of them is not more
        ((60, 40), False),  # one of two classes always has half
        ((60, 40, 4), False),  # the third is tiny
        ((4, 1), False),  # nothing but tiny classes
    ],
)
def test_the_rule(counts: tuple[int, ...], strong: bool) -> None:
    """Strong is more than ten times the smallest class, or most images of three classes.

    Classes with fewer than five images count only where fewer than two others are left.
    """
    assert strongly_imbalanced(np.repeat(np.arange(len(counts)), counts)) is strong


def test_weights_are_those_of_scikit_learn() -> None:
    """``class_weight="balanced"``, also where a class index does not occur."""
    labels = np.repeat([0, 1, 3], [7, 2, 4])

    np.testing.assert_allclose(balanced_weights(labels), compute_sample_weight("balanced", labels))


def test_a_class_without_images_counts_as_one() -> None:
    """Its logarithm stays finite."""
    np.testing.assert_allclose(np.exp(log_shares(np.array([0, 0, 0]), 2)), [0.75, 0.25])


def test_adjusted_scores_answer_as_if_classes_were_equally_frequent() -> None:
    """Two Gaussians at -1 and 1, one nine times as frequent: adjusted, exact scores cut at 0 and not at log(9) / 2."""
    x = np.linspace(-3, 3, 601)
    likelihoods = np.stack([-((x + 1) ** 2) / 2, -((x - 1) ** 2) / 2], axis=1)
    shares = log_shares(np.repeat([0, 1], [90, 10]), 2)
    posterior = likelihoods + np.log([0.9, 0.1])

    assert x[posterior.argmax(axis=1) == 1].min() == pytest.approx(np.log(9) / 2, abs=0.011)
    assert x[(posterior - shares).argmax(axis=1) == 1].min() == pytest.approx(0.0, abs=0.011)
