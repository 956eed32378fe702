"""Comparisons on repeated splits against baycomp, closed forms and simulation."""

import baycomp
import numpy as np
import pytest
from scipy.stats import t as student

from unfreeze.metrics.accuracy import accuracy, balanced_accuracy, log_loss
from unfreeze.metrics.repeated import StepEstimate, compare_splits, metric_values
from unfreeze.metrics.settling import what_would_settle

FRACTION = 0.2


def halves(splits: int, rng: np.random.Generator) -> tuple[list[np.ndarray], list[np.ndarray], list[np.ndarray]]:
    """Outcomes whose means differ so much between splits that no lower bound matters; images of their own each."""
    rates = rng.uniform(0.2, 0.8, splits)
    first = [(rng.random(50) < 0.5).astype(float) for _ in rates]
    second = [(rng.random(50) < rate).astype(float) for rate in rates]
    return first, second, [np.arange(50) + 50 * split for split in range(splits)]


@pytest.mark.parametrize("splits", [5, 10, 20])
def test_probabilities_are_those_of_baycomp(rng: np.random.Generator, splits: int) -> None:
    """With as many runs as make its folds the reciprocal of the test fraction, baycomp gives the same probabilities."""
    first, second, units = halves(splits, rng)
    runs = splits // 5  # its correction is 1 / (splits / runs - 1); ours r / (1 - r) with r = 1/5
    theirs = baycomp.CorrelatedTTest.probs(
        np.array([part.mean() for part in first]), np.array([part.mean() for part in second]), rope=0.03, runs=runs
    )

    ours = compare_splits(first, second, units=units, test_fraction=FRACTION, margin=0.03)

    assert (ours.worse, ours.equivalent, ours.better) == pytest.approx(theirs)
    assert ours.degrees_of_freedom == splits - 1


def test_twenty_hold_outs_are_not_one_cross_validation(rng: np.random.Generator) -> None:
    """The interval is wider than with baycomp's default runs=1, which takes 20 hold-outs for 20 folds."""
    # the mistake: a correlation of 1/20 where a test part is a fifth
    first, second, units = halves(20, rng)
    means = [np.array([part.mean() for part in side]) for side in (first, second)]
    _, variance, _ = baycomp.CorrelatedTTest.compute_statistics(*means, runs=1)

    ours = compare_splits(first, second, units=units, test_fraction=FRACTION, margin=0.01)

    assert ours.standard_error is not None
    assert ours.standard_error**2 / variance == pytest.approx((1 / 20 + 1 / 4) / (1 / 20 + 1 / 19))


def test_interval_is_that_of_nadeau_and_bengio(rng: np.random.Generator) -> None:
    """Mean plus-minus t times s sqrt(1/k + n_test/n_train)."""
    first, second, units = halves(10, rng)
    differences = np.array([b.mean() - a.mean() for a, b in zip(first, second, strict=True)])
    half = student.ppf(0.95, 9) * differences.std(ddof=1) * np.sqrt(1 / 10 + 0.3 / 0.7)

    interval = compare_splits(first, second, units=units, test_fraction=0.3, margin=0.01, level=0.9).interval

    assert interval is not None
    assert (interval.low, interval.high) == pytest.approx((differences.mean() - half, differences.mean() + half))


def test_pairing_is_the_closed_form_with_the_covariance(rng: np.random.Generator) -> None:
    """The least variance has var(first) + var(second) - 2 cov of the images, not the sum of the two variances."""
    easy = rng.random(2000)
    first, second = (easy < 0.80).astype(float), (easy + rng.normal(0, 0.1, 2000) < 0.85).astype(float)
    cov = np.cov(first, second)
    closed = (1 - FRACTION) * (cov[0, 0] + cov[1, 1] - 2 * cov[0, 1] + 2 / 2000) / 2000

    estimate = compare_splits([first], [second], units=[np.arange(2000)], test_fraction=FRACTION, margin=0.01)

    assert estimate.least_variance == pytest.approx(closed)


def test_least_variance_is_what_random_splits_of_fixed_outcomes_give(rng: np.random.Generator) -> None:
    """Where every image has one outcome, 4,000 random splits vary by the least variance (without the two unseen)."""
    outcomes = rng.choice([-1.0, 0.0, 1.0], 200, p=[0.1, 0.7, 0.2])
    tests = [rng.choice(200, 40, replace=False) for _ in range(4000)]
    means = [outcomes[test].mean() for test in tests]

    estimate = compare_splits(
        [np.zeros(40) for _ in tests], [outcomes[test] for test in tests],
        units=tests, test_fraction=FRACTION, margin=0.01,
    )  # fmt: skip

    unseen = (1 - FRACTION) * 2 / 200 / 40
    assert estimate.least_variance - unseen == pytest.approx(np.var(means, ddof=1), rel=0.1)


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


def regression_study(
    images: int, rng: np.random.Generator, *, slope: float
) -> tuple[list[np.ndarray], list[np.ndarray], list[np.ndarray]]:
    """Ten splits of one data set: the mean of the training part against a line fitted to it, by squared error."""
    x = rng.standard_normal(images)
    y = slope * x + rng.standard_normal(images)
    first, second, tests = [], [], []
    for _ in range(10):
        order = rng.permutation(images)
        test, train = order[: images // 5], order[images // 5 :]
        line = np.polyfit(x[train], y[train], 1)
        first.append(-((y[test] - y[train].mean()) ** 2))
        second.append(-((y[test] - np.polyval(line, x[test])) ** 2))
        tests.append(test)
    return first, second, tests


@pytest.mark.slow
def test_interval_covers_the_expected_difference(rng: np.random.Generator) -> None:
    """Of 400 studies the 95 % interval holds the gain of 20,000 fresh training sets in 92 to 99.5 %."""
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

    covered = 0
    for _ in range(400):
        first, second, tests = regression_study(images, rng, slope=slope)
        interval = compare_splits(first, second, units=tests, test_fraction=FRACTION, margin=0.01).interval
        covered += interval is not None and interval.low <= true <= interval.high

    assert 0.92 <= covered / 400 <= 0.995


def outcomes(images: int, gain: float, rng: np.random.Generator) -> np.ndarray:
    """Differences of images of which the second strategy gains a tenth, loses a tenth, and wins `gain` beside that."""
    chances = [0.1 + max(gain, 0.0), 0.1 + max(-gain, 0.0), 0.8 - abs(gain)]
    return rng.choice([1.0, -1.0, 0.0], images, p=chances)


def estimate_of(differences: np.ndarray, rng: np.random.Generator) -> StepEstimate:
    """What 20 random splits say where every image has one difference, whatever was trained on."""
    tests = [rng.choice(len(differences), len(differences) // 5, replace=False) for _ in range(20)]
    first, second = [np.zeros(len(test)) for test in tests], [differences[test] for test in tests]
    return compare_splits(first, second, units=tests, test_fraction=FRACTION, margin=0.01)


@pytest.mark.slow
def test_more_images_settle_as_often_as_was_said(rng: np.random.Generator) -> None:
    """Of 60 studies that are given the images that they asked for, 60 to 95 % get an answer."""
    # the true gains are spread evenly around the margin; the new images join the old ones, and all are split anew
    settled: list[bool] = []
    while len(settled) < 60:
        gain = float(rng.uniform(-0.1, 0.12))
        before = outcomes(200, gain, rng)
        now = estimate_of(before, rng)
        asked = what_would_settle(now, images=200, splits=20, seed=0).more_images
        if now.answer == "cannot tell" and asked is not None:
            after = np.append(before, outcomes(asked, gain, rng))
            settled.append(estimate_of(after, rng).answer != "cannot tell")

    assert 0.6 <= np.mean(settled) <= 0.95
