"""Metrics and intervals against scikit-learn, SciPy and closed forms."""

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn import metrics as sklearn_metrics

from unfreeze.metrics.accuracy import accuracy, balanced_accuracy, log_loss
from unfreeze.metrics.comparison import paired_difference
from unfreeze.metrics.intervals import accuracy_interval, wilson


def test_metrics_are_those_of_scikit_learn(rng: np.random.Generator) -> None:
    """Accuracy, balanced accuracy and log loss equal scikit-learn's on skewed classes."""
    labels = rng.choice(5, 300, p=[0.6, 0.2, 0.1, 0.07, 0.03])
    probabilities = rng.dirichlet(np.full(5, 0.3), 300)
    probabilities[0] = np.eye(5)[(labels[0] + 1) % 5]  # certain and wrong
    predictions = probabilities.argmax(axis=1)

    assert accuracy(labels, predictions) == sklearn_metrics.accuracy_score(labels, predictions)
    assert balanced_accuracy(labels, predictions) == pytest.approx(
        sklearn_metrics.balanced_accuracy_score(labels, predictions)
    )
    assert log_loss(labels, probabilities) == pytest.approx(
        sklearn_metrics.log_loss(labels, probabilities, labels=range(5))
    )


@pytest.mark.parametrize(("right", "number"), [(0, 10), (10, 10), (7, 9), (411, 430), (1, 1)])
@pytest.mark.parametrize("level", [0.9, 0.95])
def test_wilson_is_that_of_scipy(right: int, number: int, level: float) -> None:
    """Wilson's interval equals SciPy's."""
    theirs = binomtest(right, number).proportion_ci(level, method="wilson")

    ours = wilson(float(right), number, level=level)

    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=1e-9)


def test_cluster_bootstrap_has_the_width_of_its_closed_form(rng: np.random.Generator, seed: int) -> None:
    """For many equal groups the interval is the mean plus-minus 1.96 standard errors of the group means."""
    rates = rng.beta(2, 1, 200)
    correct = rng.random((200, 5)) < rates[:, None]
    groups = np.repeat([f"g{number}" for number in range(200)], 5).tolist()
    half = 1.96 * correct.mean(axis=1).std() / np.sqrt(200)

    interval = accuracy_interval(correct.ravel(), groups, seed=seed)

    assert interval.low == pytest.approx(correct.mean() - half, abs=0.1 * half)
    assert interval.high == pytest.approx(correct.mean() + half, abs=0.1 * half)


def test_paired_difference_has_the_width_of_its_closed_form(rng: np.random.Generator, seed: int) -> None:
    """var(difference) = var(first) + var(second) - 2 cov: pairing makes the interval as narrow as it may be."""
    easy = rng.random(2000)
    first, second = easy < 0.80, easy + rng.normal(0, 0.1, 2000) < 0.85
    variance = first.var() + second.var() - 2 * np.cov(first, second, ddof=0)[0, 1]
    half = 1.96 * np.sqrt(variance / 2000)

    difference, interval = paired_difference(first, second, seed=seed)

    assert difference == pytest.approx(second.mean() - first.mean())
    assert interval.low == pytest.approx(difference - half, abs=0.1 * half)
    assert interval.high == pytest.approx(difference + half, abs=0.1 * half)


@pytest.mark.parametrize(("gained", "lost"), [(4, 0), (5, 0), (6, 0), (7, 1), (8, 1), (12, 3), (20, 8)])
def test_zero_is_excluded_only_if_mcnemar_rejects_it(gained: int, lost: int, seed: int) -> None:
    """For single images 0 may lie outside only where McNemar's exact test gives less than 5 %."""
    first, second = np.zeros(300, bool), np.zeros(300, bool)
    second[:gained] = True
    first[gained : gained + lost] = True

    _, interval = paired_difference(first, second, seed=seed)

    if interval.low > 0:
        assert binomtest(lost, gained + lost).pvalue < 0.05
    if gained + lost >= 28 or (gained, lost) in {(6, 0), (8, 1), (12, 3)}:
        assert interval.low > 0


def test_interval_covers_the_true_difference(rng: np.random.Generator) -> None:
    """In simulation the 95 % interval holds the true difference in 90 to 99 % of 200 draws, and rarely claims one."""
    covered = claimed = 0
    for draw in range(200):
        shared = rng.random(300)
        first = np.where(shared < 0.7, rng.random(300) < 0.95, rng.random(300) < 0.4)
        second = np.where(shared < 0.7, rng.random(300) < 0.95, rng.random(300) < 0.4)
        _, interval = paired_difference(first, second, seed=draw, draws=1000)
        covered += interval.low <= 0 <= interval.high
        claimed += interval.low > 0 or interval.high < 0

    assert 180 <= covered <= 200
    assert claimed <= 20
