"""Scores by folds."""

import numpy as np
from sklearn.linear_model import RidgeClassifier

from unfreeze.probes.held_out import held_out_scores, standardised, with_products


def test_scores_are_those_of_scikit_learns_ridge_classifier() -> None:
    """Of each fold the scores of a classifier that learned from the others; rows without a class are only scored."""
    rng = np.random.default_rng(0)
    labels, sides = rng.integers(0, 3, 90), np.arange(90) % 4
    features = rng.normal(size=(90, 6)) + np.eye(6)[labels]
    labels[:5] = -1

    found = held_out_scores(features, labels, sides, class_count=3, penalties=(0.1,))

    values = standardised(features)
    for fold in range(4):
        learn = (sides != fold) & (labels >= 0)
        ridge = RidgeClassifier(alpha=0.1 * learn.sum()).fit(values[learn], labels[learn])
        np.testing.assert_allclose(found[sides == fold], ridge.decision_function(values[sides == fold]), atol=1e-4)


def test_a_class_between_two_others_is_found_by_squares() -> None:
    """With squares a linear classifier bounds a class on both sides, without it cannot."""
    number = np.linspace(-1, 1, 300)[:, None]
    labels, sides = (np.abs(number[:, 0]) < 0.4).astype(int), np.arange(300) % 5

    plain, wider = (
        (held_out_scores(features, labels, sides, class_count=2).argmax(axis=1) == labels).mean()
        for features in (number, with_products(number))
    )

    assert plain < 0.65
    assert wider > 0.85
