"""Scores of codes against a numeric optimiser, trace formulas and scikit-learn."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.stats import multivariate_normal
from sklearn.covariance import LedoitWolf
from sklearn.datasets import load_digits, load_iris
from sklearn.linear_model import BayesianRidge
from sklearn.model_selection import LeaveOneOut, cross_val_predict
from sklearn.neighbors import KNeighborsClassifier

from unfreeze.probes.transferability import h_score, log_maximum_evidence, neighbour_accuracy


def iris() -> tuple[np.ndarray, np.ndarray]:
    """Four measurements of 150 flowers in three classes."""
    return load_iris(return_X_y=True)


def largest_evidence(codes: np.ndarray, target: np.ndarray) -> float:
    """Log density of the target, per image, at the best two precisions that a simplex search finds."""

    def loss(logs: np.ndarray) -> float:
        alpha, beta = np.exp(logs)
        covariance = np.eye(len(codes)) / beta + codes @ codes.T / alpha
        return -float(multivariate_normal.logpdf(target, cov=covariance)) / len(codes)

    found = minimize(loss, np.zeros(2), method="Nelder-Mead", options={"xatol": 1e-6, "fatol": 1e-9, "maxiter": 2000})
    return -float(found.fun)


def test_logme_is_the_largest_evidence() -> None:
    """The fixed point finds the evidence that a simplex search over both precisions finds."""
    codes, labels = iris()
    expected = np.mean([largest_evidence(codes, (labels == cls).astype(float)) for cls in range(3)])

    assert log_maximum_evidence(codes, labels) == pytest.approx(expected, abs=1e-5)


def test_logme_agrees_with_bayesian_ridge() -> None:
    """With flat priors scikit-learn's evidence of every indicator is ours, with more codes than images too."""
    digits = load_digits()
    for codes, labels in (iris(), (digits.data[:50] / 16, digits.target[:50])):
        flat = dict.fromkeys(("alpha_1", "alpha_2", "lambda_1", "lambda_2"), 0)
        model = BayesianRidge(**flat, fit_intercept=False, compute_score=True, max_iter=2000, tol=1e-9)
        targets = [(labels == cls).astype(float) for cls in np.unique(labels)]
        expected = np.mean([model.fit(codes, target).scores_[-1] / len(codes) for target in targets])

        assert log_maximum_evidence(codes, labels) == pytest.approx(expected, abs=1e-3)


def test_logme_ignores_rotation_and_prefers_signal(rng: np.random.Generator) -> None:
    """Turning the codes changes nothing, and codes that know the class score above noise."""
    codes, labels = iris()
    turn = np.linalg.qr(rng.normal(size=(4, 4)))[0]

    assert log_maximum_evidence(codes @ turn, labels) == pytest.approx(log_maximum_evidence(codes, labels), abs=1e-8)
    assert log_maximum_evidence(codes, labels) > log_maximum_evidence(rng.normal(size=codes.shape), labels)


def test_h_score_is_the_trace_formula() -> None:
    """The score is the trace of the inverse shrunk covariance times the covariance of the class means."""
    codes, labels = iris()
    fitted = LedoitWolf().fit(codes)
    means = np.stack([codes[labels == cls].mean(axis=0) for cls in labels])
    between = np.cov(means, rowvar=False, ddof=0)
    expected = (1 - fitted.shrinkage_) * np.trace(np.linalg.inv(fitted.covariance_) @ between)

    assert h_score(codes, labels) == pytest.approx(expected, rel=1e-9)


def test_h_score_of_one_code_is_the_share_of_variance_between_classes(rng: np.random.Generator) -> None:
    """For a single code nothing is shrunk: 1 where the class decides it, and between over total variance else."""
    labels = np.repeat([0, 1], 200)
    noisy = labels + rng.normal(size=400)
    means = np.where(labels == 0, noisy[labels == 0].mean(), noisy[labels == 1].mean())

    assert h_score(labels[:, None].astype(float), labels) == pytest.approx(1.0)
    assert h_score(noisy[:, None], labels) == pytest.approx(means.var() / noisy.var())


def test_h_score_ignores_codes_that_never_vary() -> None:
    """A constant code adds nothing, and no error, where it is the only one."""
    _, labels = iris()

    assert h_score(np.ones((150, 1)), labels) == pytest.approx(0.0)


@pytest.mark.parametrize("neighbours", [1, 5])
def test_neighbours_agree_with_scikit_learn(neighbours: int) -> None:
    """The accuracy is that of scikit-learn's classifier with each image left out in turn."""
    digits = load_digits()
    codes, labels = digits.data[:300], digits.target[:300]
    model = KNeighborsClassifier(neighbours, metric="cosine")
    expected = np.mean(cross_val_predict(model, codes, labels, cv=LeaveOneOut()) == labels)

    assert neighbour_accuracy(codes, labels, neighbours=neighbours) == pytest.approx(expected, abs=1 / 300)


def test_unusable_input_is_refused() -> None:
    """One class, codes that are not finite, and as many neighbours as images are mistakes."""
    codes, labels = iris()
    with pytest.raises(ValueError, match="two classes"):
        log_maximum_evidence(codes, np.zeros(150, dtype=np.int64))
    with pytest.raises(ValueError, match="finite"):
        h_score(np.where(codes > 5, np.nan, codes), labels)
    with pytest.raises(ValueError, match="1 to 149 neighbours"):
        neighbour_accuracy(codes, labels, neighbours=150)


def test_codes_that_fit_the_classes_exactly_have_a_finite_evidence() -> None:
    """As many independent codes as images, of huge length, leave no residual: a score, not a division by zero."""
    codes = 1e9 * np.eye(20)

    assert np.isfinite(log_maximum_evidence(codes, np.arange(20) % 2))
