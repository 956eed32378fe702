"""Steps on rounds of folds against scipy, closed forms and simulation with a known truth."""

import numpy as np
import pytest
from scipy.stats import ttest_1samp

from unfreeze.metrics.accuracy import accuracy, balanced_accuracy, log_loss
from unfreeze.metrics.repeated import StepEstimate, Tested, compare_folds, metric_values
from unfreeze.metrics.settling import what_would_settle


def rounds_of(images: int, rng: np.random.Generator, *, rounds: int = 1) -> list[np.ndarray]:
    """Complete folds of images that are numbered from 0."""
    return [part for _ in range(rounds) for part in np.array_split(rng.permutation(images), 5)]


def estimate_of(differences: np.ndarray, rng: np.random.Generator, *, rounds: int = 1) -> StepEstimate:
    """What folds say where every image has one difference, whatever was trained on."""
    tests = rounds_of(len(differences), rng, rounds=rounds)
    first, second = [np.zeros(len(test)) for test in tests], [differences[test] for test in tests]
    return compare_folds(first, second, Tested(units=tests), margin=0.01)


def test_without_its_factor_and_the_unseen_it_is_the_paired_t_test(rng: np.random.Generator) -> None:
    """Of continuous outcomes (largest 0) that no fold moves, the interval is 1.2 times scipy's of a paired t-test."""
    differences = rng.normal(0.02, 0.3, 400)
    tests = rounds_of(400, rng)
    values = [differences[test] for test in tests]
    means = [part.mean() for part in values]
    theirs = ttest_1samp(differences, 0.0).confidence_interval(0.95)

    ours = compare_folds([np.zeros(80)] * 5, values, Tested(units=tests), margin=0.0, largest=0.0)

    assert np.var(means, ddof=1) < 1.5 * 0.3**2 / 80  # nothing is added for fits
    assert ours.interval is not None
    assert ours.interval.low - ours.difference == pytest.approx(1.2 * (theirs.low - differences.mean()))
    assert ours.interval.high - ours.difference == pytest.approx(1.2 * (theirs.high - differences.mean()))


def test_pairing_is_the_closed_form_with_the_covariance(rng: np.random.Generator) -> None:
    """The images' variance has var(first) + var(second) - 2 cov, not the sum of the two variances."""
    easy = rng.random(2000)
    first, second = (easy < 0.80).astype(float), (easy + rng.normal(0, 0.1, 2000) < 0.85).astype(float)
    cov = np.cov(first, second)
    closed = 1.44 * (cov[0, 0] + cov[1, 1] - 2 * cov[0, 1] + 1 / 2000) / 2000
    tests = rounds_of(2000, rng)

    estimate = compare_folds(
        [first[test] for test in tests], [second[test] for test in tests], Tested(units=tests), margin=0.01
    )

    assert estimate.image_variance + estimate.training_variance == pytest.approx(closed)


def test_values_average_to_the_metrics(rng: np.random.Generator) -> None:
    """The mean of an image's values is accuracy, balanced accuracy or minus log-loss, to the last digits."""
    labels = rng.choice(4, 200, p=[0.7, 0.2, 0.07, 0.03])
    probabilities = rng.dirichlet(np.full(4, 0.4), 200)
    predictions = probabilities.argmax(axis=1)

    right = metric_values("accuracy", labels, predictions=predictions)
    balanced = metric_values("balanced accuracy", labels, probabilities=probabilities)
    likelihood = metric_values("log-loss", labels, predictions=predictions, probabilities=probabilities)

    assert right.mean() == pytest.approx(accuracy(labels, predictions))
    assert balanced.mean() == pytest.approx(balanced_accuracy(labels, predictions))
    assert likelihood.mean() == pytest.approx(-log_loss(labels, probabilities))


def regression_study(images: int, rng: np.random.Generator, *, slope: float) -> StepEstimate:
    """One round of one data set: the mean of the training part against a line fitted to it, by squared error."""
    x = rng.standard_normal(images)
    y = slope * x + rng.standard_normal(images)
    first, second, tests = [], [], rounds_of(images, rng)
    for test in tests:
        train = np.setdiff1d(np.arange(images), test)
        line = np.polyfit(x[train], y[train], 1)
        first.append(-((y[test] - y[train].mean()) ** 2))
        second.append(-((y[test] - np.polyval(line, x[test])) ** 2))
    return compare_folds(first, second, Tested(units=tests), margin=0.01)


def test_interval_covers_the_expected_difference(rng: np.random.Generator) -> None:
    """Of 400 studies the 95 % interval holds the gain of 20,000 fresh training sets in 93 to 99.5 %."""
    slope, images = 0.4, 200
    train = images * 4 // 5
    x = rng.standard_normal((20_000, train))
    y = slope * x + rng.standard_normal((20_000, train))
    centred = x - x.mean(axis=1, keepdims=True)
    slopes = (centred * y).sum(axis=1) / (centred**2).sum(axis=1)
    offsets = y.mean(axis=1) - slopes * x.mean(axis=1)
    with_mean = 1 + slope**2 + y.mean(axis=1) ** 2
    with_line = 1 + (slopes - slope) ** 2 + offsets**2
    true = float(np.mean(with_mean - with_line))

    found = [regression_study(images, rng, slope=slope).interval for _ in range(400)]

    assert 0.93 <= np.mean([one is not None and one.low <= true <= one.high for one in found]) <= 0.995


CLASSES, FEATURES, OF_FEWER = 4, 8, 5  # of the second learner's features the first one has five
CENTRES = np.random.default_rng(7).normal(0, 0.75, (CLASSES, FEATURES))


def draw(images: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Images of four classes with normal features."""
    labels = np.arange(images) % CLASSES
    return CENTRES[labels] + rng.standard_normal((images, FEATURES)), labels


def fitted(x: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Linear discriminant analysis with a shared covariance: weights and offsets."""
    means = np.stack([x[labels == label].mean(axis=0) for label in range(CLASSES)])
    within = x - means[labels]
    weights = np.linalg.solve(within.T @ within / (len(x) - CLASSES), means.T)
    return weights, -0.5 * np.einsum("cf,fc->c", means, weights)


def gain(train: tuple[np.ndarray, np.ndarray], test: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Whether each test image is right with the fewer and with all features."""
    right = []
    for features in (OF_FEWER, FEATURES):
        weights, offsets = fitted(train[0][:, :features], train[1])
        right.append(((test[0][:, :features] @ weights + offsets).argmax(axis=1) == test[1]).astype(float))
    return right[0], right[1]


@pytest.mark.parametrize("balanced", [False, True])
def test_interval_covers_the_gain_of_a_classifier(balanced: bool) -> None:
    """Of 400 studies of 100 images with a discriminant analysis the interval holds the truth in 93 % or more."""
    rng, images = np.random.default_rng(11), 100
    fresh = draw(4000, rng)
    gains = [np.subtract(*gain(draw(images * 4 // 5, rng), fresh)[::-1]).mean() for _ in range(150)]
    true, covered = float(np.mean(gains)), 0

    for _ in range(400):
        x, labels = draw(images, rng)
        tests = rounds_of(images, rng)
        first, second = [], []
        for test in tests:
            train = np.setdiff1d(np.arange(images), test)
            one, other = gain((x[train], labels[train]), (x[test], labels[test]))
            first.append(one)
            second.append(other)
        tested = Tested(units=tests, classes=[labels[test] for test in tests] if balanced else None)
        interval = compare_folds(first, second, tested, margin=0.01).interval
        assert interval is not None
        covered += interval.low <= true <= interval.high

    assert true > 0.03
    assert covered >= 0.93 * 400


def outcomes(images: int, gain: float, rng: np.random.Generator) -> np.ndarray:
    """Differences of images of which the second strategy gains a tenth, loses a tenth, and wins `gain` beside that."""
    chances = [0.1 + max(gain, 0.0), 0.1 + max(-gain, 0.0), 0.8 - abs(gain)]
    return rng.choice([1.0, -1.0, 0.0], images, p=chances)


@pytest.mark.slow
def test_more_images_settle_as_often_as_was_said(rng: np.random.Generator) -> None:
    """Of 60 studies that are given the images that they asked for, 60 to 95 % get an answer."""
    # the true gains are spread evenly around the margin; the new images join the old ones, and all are split anew
    settled: list[bool] = []
    while len(settled) < 60:
        gain = float(rng.uniform(-0.1, 0.12))
        before = outcomes(200, gain, rng)
        now = estimate_of(before, rng, rounds=4)
        asked = what_would_settle(now, images=200, splits=20).more_images
        if now.answer == "cannot tell" and asked is not None:
            after = np.append(before, outcomes(asked, gain, rng))
            settled.append(estimate_of(after, rng, rounds=4).answer != "cannot tell")

    assert 0.6 <= np.mean(settled) <= 0.95
