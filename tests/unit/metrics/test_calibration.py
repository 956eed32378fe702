"""Temperatures and reliability, against closed forms and scikit-learn."""

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.calibration import calibration_curve
from sklearn.metrics import log_loss

from unfreeze.metrics.calibration import BINS, fit_apart, fit_temperature, reliability


def two_apart(right: int, wrong: int, gap: float = 4.0) -> tuple[np.ndarray, np.ndarray]:
    """Scores that are so far apart, for the first class, of images some of which are of the other."""
    return np.array([[gap, 0.0]] * (right + wrong)), np.array([0] * right + [1] * wrong)


def drawn(rng: np.random.Generator, images: int) -> tuple[np.ndarray, np.ndarray]:
    """Logits of three classes, and labels that have just their probabilities."""
    scores = rng.normal(scale=2.0, size=(images, 3))
    return scores, (softmax(scores, axis=1).cumsum(axis=1) < rng.random((images, 1))).sum(axis=1)


@pytest.mark.parametrize(("right", "wrong"), [(80, 20), (150, 50), (39, 1)])
def test_equal_answers_are_as_sure_as_they_are_right(right: int, wrong: int) -> None:
    """Of n alike answers, of which r are right, the probability becomes that of r rights and one more image, spread."""
    scores, labels = two_apart(right, wrong)
    images = right + wrong
    share = 1 / (images + 2)
    expected = ((1 - share) * right + share * wrong) / images

    found = softmax(scores[0] / fit_temperature(scores, labels))

    assert found[0] == pytest.approx(expected, abs=1e-4)


def test_all_right_is_not_certain() -> None:
    """After forty rights of forty the next is right with a probability of 41 in 42: the rule of succession."""
    scores, labels = two_apart(40, 0)

    assert softmax(scores[0] / fit_temperature(scores, labels))[0] == pytest.approx(41 / 42, abs=1e-4)


@pytest.mark.parametrize("factor", [0.4, 1.0, 3.0])
def test_a_factor_is_found_again(rng: np.random.Generator, factor: float) -> None:
    """Scores that are some times too large are divided by that."""
    scores, labels = drawn(rng, 20_000)

    assert fit_temperature(factor * scores, labels) == pytest.approx(factor, rel=0.05)


def test_no_image_moves_its_own_temperature(rng: np.random.Generator) -> None:
    """Other labels in a part change the temperatures of all parts but its own."""
    scores, labels = drawn(rng, 300)
    parts = np.arange(300) % 3
    other = np.where(parts == 1, (labels + 1) % 3, labels)

    before, after = fit_apart(scores, labels, parts), fit_apart(scores, other, parts)

    np.testing.assert_array_equal(before[parts == 1], after[parts == 1])
    assert (before[parts != 1] != after[parts != 1]).all()
    assert before[0] == fit_temperature(scores[parts != 0], labels[parts != 0])


def test_reliability_is_that_of_scikit_learn(rng: np.random.Generator) -> None:
    """The log-loss, and the points of the reliability curve of being right, which make the error."""
    scores, labels = drawn(rng, 500)
    probabilities = softmax(scores / 0.5, axis=1)
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    accuracies, confidences = calibration_curve(right, confidence, n_bins=BINS)

    found = reliability(scores, labels, 0.5)

    assert found.log_loss == pytest.approx(log_loss(labels, probabilities))
    assert [one.accuracy for one in found.bins] == pytest.approx(accuracies.tolist())
    assert [one.confidence for one in found.bins] == pytest.approx(confidences.tolist())
    assert sum(one.images for one in found.bins) == 500
    gaps = [one.images / 500 * abs(a - c) for one, a, c in zip(found.bins, accuracies, confidences, strict=True)]
    assert found.error == pytest.approx(sum(gaps))
    assert all(one.interval.low <= one.accuracy <= one.interval.high for one in found.bins)


def test_a_certain_answer_has_its_bin() -> None:
    """A probability of one belongs to the last bin, and a certain mistake costs 36 nats."""
    found = reliability(np.array([[900.0, 0.0], [900.0, 0.0]]), np.array([0, 1]))

    assert [(one.images, one.confidence, one.accuracy) for one in found.bins] == [(2, 1.0, 0.5)]
    assert found.log_loss == pytest.approx(36.04 / 2, abs=0.01)
