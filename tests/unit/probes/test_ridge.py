"""Ridge classifiers, beside scikit-learn's."""

import numpy as np
import pytest
from sklearn.linear_model import RidgeClassifier

from unfreeze.probes.ridge import ridge_in_dual, ridge_in_primal, ridge_targets, ridges_to_choose_from


@pytest.fixture
def problem(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Codes of sixty images, four classes of unequal size."""
    labels = rng.choice(4, 60, p=[0.4, 0.3, 0.2, 0.1])
    labels[:4] = range(4)
    codes = rng.normal(size=(60, 20)) + np.eye(4, 20)[labels] + 3
    return codes.astype(np.float64), labels


@pytest.mark.parametrize("penalty", [1e-3, 0.3, 30.0])
def test_primal_and_dual_are_scikit_learns_ridge_classifier(
    problem: tuple[np.ndarray, np.ndarray], penalty: float
) -> None:
    """Scores equal its decision function, on codes that are far from centred."""
    codes, labels = problem
    expected = RidgeClassifier(alpha=penalty).fit(codes, labels).decision_function(codes)
    targets = ridge_targets(labels, 4)

    dual = ridge_in_dual(codes @ codes.T, targets, penalty)
    primal = ridge_in_primal(codes, targets, penalty)

    np.testing.assert_allclose(primal.scores(codes), expected, atol=1e-9)
    np.testing.assert_allclose(dual.scores(codes @ codes.T), expected, atol=1e-7)
    assert np.abs(dual.coefficients.sum(axis=0)).max() < 1e-9, "so that products need not be centred"


def test_more_codes_than_images_have_one_solution_all_the_same(rng: np.random.Generator) -> None:
    """Where nothing but the penalty decides between solutions, primal and dual find the same one."""
    codes, labels = rng.normal(size=(15, 80)), np.arange(15) % 3
    targets = ridge_targets(labels, 3)

    dual = ridge_in_dual(codes @ codes.T, targets, 0.1)
    primal = ridge_in_primal(codes, targets, 0.1)

    np.testing.assert_allclose(codes.T @ dual.coefficients, primal.coefficients, atol=1e-9)
    np.testing.assert_allclose(dual.intercept, primal.intercept, atol=1e-9)


def test_float32_of_many_images_is_float32_in_accuracy(rng: np.random.Generator) -> None:
    """Beyond the number of images up to which equations are solved in float64, scores are right to three digits."""
    codes, labels = rng.normal(size=(3100, 30)).astype(np.float32) / 5, rng.integers(0, 2, 3100)
    codes[:, 0] += labels
    targets = ridge_targets(labels, 2)
    gram = codes @ codes.T

    found = ridge_in_dual(gram, targets, 0.03).scores(gram)

    expected = ridge_in_primal(codes.astype(np.float64), targets, 0.03).scores(codes.astype(np.float64))
    np.testing.assert_allclose(found, expected, atol=2e-3)


def test_ridges_to_choose_from_are_those_of_each_penalty(rng: np.random.Generator) -> None:
    """In float32 they give the scores of float64 to three digits, in the order of the penalties."""
    codes, labels = rng.normal(size=(400, 500)).astype(np.float32) / 20, rng.integers(0, 3, 400)
    targets, penalties = ridge_targets(labels, 3), (10.0, 1.0, 0.03)
    gram = codes @ codes.T

    found = [ridge.scores(gram) for ridge in ridges_to_choose_from(gram, targets, penalties)]

    for scores, penalty in zip(found, penalties, strict=True):
        assert scores.dtype == np.float32
        np.testing.assert_allclose(scores, ridge_in_dual(gram, targets, penalty).scores(gram), atol=2e-3)
