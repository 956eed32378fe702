"""Scores that tell two sets apart."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from unfreeze.metrics.separation import separation_within_classes


def test_the_area_of_one_class_is_that_of_scikit_learn() -> None:
    """Also with ties."""
    rng = np.random.default_rng(0)
    scores, is_second = rng.integers(0, 9, 200).astype(float), rng.random(200) < 0.4

    found = separation_within_classes(scores, is_second, np.zeros(200, int))

    assert found is not None
    assert found.auc == pytest.approx(roc_auc_score(is_second, scores))
    assert found.interval.low < found.auc < found.interval.high
    assert found.pairs == is_second.sum() * (~is_second).sum()


def test_other_shares_of_the_classes_do_not_tell_sets_apart() -> None:
    """Where scores are those of the class, and the sets differ in how frequent it is, the area is a half."""
    rng = np.random.default_rng(0)
    is_second = np.arange(400) < 200
    classes = (rng.random(400) < np.where(is_second, 0.9, 0.1)).astype(int)
    scores = classes + 0.0

    found = separation_within_classes(scores, is_second, classes)

    assert found is not None
    assert found.auc == 0.5
    assert roc_auc_score(is_second, scores) > 0.8


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    """Of normal scores that are one deviation apart, nearly 95 of 100 intervals hold the known area of 0.760."""
    rng = np.random.default_rng(1)
    is_second = np.arange(120) < 50
    inside = 0
    for _ in range(300):
        found = separation_within_classes(rng.normal(size=120) + is_second, is_second, np.zeros(120, int))
        assert found is not None
        inside += found.interval.low <= 0.7602 <= found.interval.high

    assert 0.91 <= inside / 300 <= 0.985


def test_a_set_without_two_images_of_a_class_is_not_judged() -> None:
    """There is no variance of one image."""
    assert separation_within_classes(np.arange(3.0), np.array([True, False, False]), np.zeros(3, int)) is None
