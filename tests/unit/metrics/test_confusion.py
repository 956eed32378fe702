"""Confusion and scores per class, against scikit-learn, SciPy and simulation."""

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn import metrics as sklearn_metrics

from unfreeze.core.errors import InputError
from unfreeze.metrics.confusion import confusion, largest_confusions, per_class, per_class_of_groups
from unfreeze.metrics.intervals import accuracy_interval


@pytest.fixture
def labels(rng: np.random.Generator) -> np.ndarray:
    """Of 300 images of five classes, of which some are rare."""
    return rng.choice(5, 300, p=[0.5, 0.3, 0.1, 0.07, 0.03])


@pytest.fixture
def predictions(rng: np.random.Generator, labels: np.ndarray) -> np.ndarray:
    """Right for about 70 %."""
    return np.where(rng.random(300) < 0.7, labels, rng.choice(5, 300))


def test_confusion_is_that_of_scikit_learn(labels: np.ndarray, predictions: np.ndarray) -> None:
    """Rows are given classes and columns predicted ones, as scikit-learn has them, and classes without images stay."""
    theirs = sklearn_metrics.confusion_matrix(labels, predictions, labels=range(6))

    np.testing.assert_array_equal(confusion(labels, predictions, 6), theirs)


def test_scores_are_those_of_scikit_learn(labels: np.ndarray, predictions: np.ndarray) -> None:
    """Precision, recall, F1 and the number of images of every class equal scikit-learn's."""
    precision, recall, f1, images = sklearn_metrics.precision_recall_fscore_support(
        labels, predictions, labels=range(5)
    )

    found = per_class(confusion(labels, predictions, 5))

    assert [row.images for row in found] == images.tolist()
    assert [row.precision for row in found] == pytest.approx(precision)
    assert [row.recall for row in found] == pytest.approx(recall)
    assert [row.f1 for row in found] == pytest.approx(f1)


def test_intervals_of_precision_and_recall_are_scipys(labels: np.ndarray, predictions: np.ndarray) -> None:
    """Both are proportions, and their intervals SciPy's Wilson intervals."""
    for row in per_class(confusion(labels, predictions, 5)):
        for interval, number in ((row.precision_interval, row.predicted), (row.recall_interval, row.images)):
            theirs = binomtest(row.right, number).proportion_ci(0.95, method="wilson")
            assert interval == pytest.approx((theirs.low, theirs.high))


def test_interval_of_f1_covers_the_true_one(rng: np.random.Generator) -> None:
    """Where images are drawn from a known table, about 95 % of the intervals of F1 hold its true value."""
    chances = np.array([[0.25, 0.1], [0.05, 0.6]])
    true = 2 * 0.25 / (2 * 0.25 + 0.1 + 0.05)
    tables = rng.multinomial(80, chances.ravel(), size=2000).reshape(-1, 2, 2)

    intervals = [per_class(table)[0].f1_interval for table in tables]

    covered = np.mean([found is not None and found.low <= true <= found.high for found in intervals])
    assert 0.93 < covered < 0.97  # four standard errors of 2000 draws are 0.02


def test_shares_of_nothing_are_none() -> None:
    """A class without images that is never predicted has no scores, and one that is never predicted no precision."""
    never, absent = per_class(np.array([[0, 0, 2], [0, 0, 0], [0, 0, 3]]))[:2]

    assert (never.precision, never.precision_interval, never.recall, never.f1) == (None, None, 0.0, 0.0)
    assert (absent.precision, absent.recall, absent.f1, absent.f1_interval) == (None, None, None, None)


def test_images_without_groups_have_the_same_intervals(labels: np.ndarray, predictions: np.ndarray) -> None:
    """Groups of one image each change nothing."""
    found = per_class_of_groups(labels, predictions, 5, [""] * 300, seed=0)

    for ours, theirs in zip(found, per_class(confusion(labels, predictions, 5)), strict=True):
        assert (ours.images, ours.predicted, ours.right) == (theirs.images, theirs.predicted, theirs.right)
        for name in ("precision", "recall", "f1", "precision_interval", "recall_interval", "f1_interval"):
            assert getattr(ours, name) == pytest.approx(getattr(theirs, name))


def test_groups_widen_the_intervals_of_a_class(rng: np.random.Generator) -> None:
    """The recall's interval of a class is that of an accuracy on its images, by whole groups."""
    labels = np.repeat([0, 1], 60)
    right = np.repeat(rng.random(20) < 0.6, 6)
    groups = [str(number // 6) for number in range(120)]

    found = per_class_of_groups(labels, np.where(right, labels, 1 - labels), 2, groups, seed=3)

    assert found[0].recall_interval == accuracy_interval(right[:60], groups[:60], seed=3)


def test_largest_confusions_come_first() -> None:
    """What is right is no confusion, and equal numbers keep the order of the classes."""
    counts = np.array([[9, 1, 3], [1, 9, 0], [0, 4, 0]])

    assert largest_confusions(counts) == [(2, 1, 4), (0, 2, 3), (0, 1, 1), (1, 0, 1)]


@pytest.mark.parametrize("beyond", [-1, 2])
def test_what_is_no_class_is_refused(beyond: int) -> None:
    """An index that is no class, of a label or of a prediction, is an error that says which."""
    with pytest.raises(InputError, match=f"from 0 to 1; got {beyond}"):
        confusion(np.array([0, beyond]), np.array([0, 1]), 2)
    with pytest.raises(InputError, match=f"from 0 to 1; got {beyond}"):
        confusion(np.array([0, 1]), np.array([0, beyond]), 2)
