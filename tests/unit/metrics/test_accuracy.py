"""Accuracy, balanced accuracy and log-loss: by hand and against scikit-learn."""

from collections.abc import Callable

import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics

from unfreeze.core.errors import InputError
from unfreeze.metrics.accuracy import accuracy, balanced_accuracy, log_loss


def test_accuracy_is_the_share_of_right_images() -> None:
    """Three right of four are three quarters."""
    assert accuracy(np.array([0, 1, 1, 2]), np.array([0, 1, 2, 2])) == 3 / 4


def test_every_class_that_occurs_weighs_the_same() -> None:
    """Two thirds of class 0, none of class 2 and all of class 5 average to 5/9; the absent classes do not count."""
    labels, predictions = np.array([0, 0, 0, 2, 5, 5]), np.array([0, 0, 1, 3, 5, 5])

    assert balanced_accuracy(labels, predictions) == pytest.approx((2 / 3 + 0 + 1) / 3)


def test_metrics_are_those_of_scikit_learn(rng: np.random.Generator) -> None:
    """On random skewed classes all three metrics equal scikit-learn's."""
    labels = np.concatenate([np.arange(4), rng.choice(4, 196, p=[0.7, 0.2, 0.07, 0.03])])
    probabilities = rng.dirichlet(np.full(4, 0.5), 200)
    predictions = probabilities.argmax(axis=1)

    assert accuracy(labels, predictions) == pytest.approx(sklearn_metrics.accuracy_score(labels, predictions))
    assert balanced_accuracy(labels, predictions) == pytest.approx(
        sklearn_metrics.balanced_accuracy_score(labels, predictions)
    )
    assert log_loss(labels, probabilities) == pytest.approx(sklearn_metrics.log_loss(labels, probabilities))


def test_log_loss_is_the_mean_of_the_logarithms() -> None:
    """A half and a quarter cost (log 2 + log 4) / 2 = 1.5 log 2."""
    probabilities = np.array([[0.5, 0.5], [0.75, 0.25]])

    assert log_loss(np.array([0, 1]), probabilities) == pytest.approx(1.5 * np.log(2))


@pytest.mark.parametrize(("dtype", "bits"), [(np.float32, 23), (np.float64, 52)])
def test_a_probability_of_zero_costs_the_smallest_step(dtype: type[np.floating], bits: int) -> None:
    """Certain and wrong costs as many times log 2 as the number format has bits behind the point, and not infinity."""
    assert log_loss(np.array([1]), np.array([[1.0, 0.0]], dtype)) == pytest.approx(bits * np.log(2))


def test_a_probability_rounded_above_one_is_no_gain() -> None:
    """A softmax that rounds to more than one costs nothing, and not less than nothing."""
    assert log_loss(np.array([0]), np.array([[1.5, 0.0]])) == 0


def test_logarithms_of_short_floats_are_taken_in_double_precision() -> None:
    """The loss of float32 probabilities is that of the same numbers in float64, far beyond float32's seven digits."""
    given = np.array([[0.1, 0.9], [0.7, 0.3]], np.float32)
    exact = -(np.log(float(given[0, 1])) + np.log(float(given[1, 0]))) / 2

    assert log_loss(np.array([1, 0]), given) == pytest.approx(exact, rel=1e-13)


@pytest.mark.parametrize("metric", [accuracy, balanced_accuracy])
def test_nothing_measured_is_refused(metric: Callable[[np.ndarray, np.ndarray], float]) -> None:
    """Without images the error says what is needed and what was found."""
    none = np.zeros(0, np.int64)
    with pytest.raises(InputError, match=r"^A metric needs one prediction per label .*got 0 labels and 0 predictions"):
        metric(none, none)
    with pytest.raises(InputError, match="got 0 labels"):
        log_loss(none, np.zeros((0, 3)))


@pytest.mark.parametrize("metric", [accuracy, balanced_accuracy])
def test_one_label_does_not_stand_for_many(metric: Callable[[np.ndarray, np.ndarray], float]) -> None:
    """One label and three predictions are refused, not stretched to three labels."""
    one, three = np.zeros(1, np.int64), np.zeros(3, np.int64)
    with pytest.raises((InputError, TypeError)):  # where shapes are checked by type, that check speaks first
        metric(one, three)
    with pytest.raises((InputError, TypeError)):
        log_loss(one, np.full((3, 2), 0.5))
