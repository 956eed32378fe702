"""Probes for classes that count the same."""

import numpy as np
import pytest
from sklearn.model_selection import StratifiedKFold
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from unfreeze.metrics.accuracy import balanced_accuracy
from unfreeze.probes.search import search_probe
from unfreeze.probes.solver import Loss


def unequal(rng: np.random.Generator, counts: tuple[int, int] = (380, 20)) -> tuple:
    """Two Gaussian classes in two dimensions, one apart each way from the middle."""
    labels = np.repeat([0, 1], counts)
    return (rng.normal(size=(len(labels), 2)) + (2 * labels - 1)[:, None]).astype(np.float32), labels


@pytest.mark.parametrize("loss", ["softmax", "svm"])
def test_balanced_probes_find_the_rare_class(loss: Loss, rng: np.random.Generator) -> None:
    """On equally many fresh images, balanced accuracy is nearly the best possible, and above the plain one's.

    The best is the normal distribution at sqrt(2): 92.1 %.
    """
    codes, labels = unequal(rng)
    fresh, of_fresh = unequal(rng, (4000, 4000))
    folds = list(StratifiedKFold(5, shuffle=True, random_state=0).split(codes, labels))
    plain, balanced = (
        search_probe(codes, labels, folds, loss=loss, class_count=2, balanced=wanted).probe.predict(fresh)
        for wanted in (False, True)
    )

    assert balanced_accuracy(of_fresh, balanced) > 0.91
    assert balanced_accuracy(of_fresh, balanced) > balanced_accuracy(of_fresh, plain) + 0.05


def test_a_balanced_svm_is_that_of_scikit_learn(rng: np.random.Generator) -> None:
    """The weights of images are ``class_weight="balanced"``: predictions agree on all but a few of 8,000."""
    codes, labels = unequal(rng)
    fresh, _ = unequal(rng, (4000, 4000))
    folds = list(StratifiedKFold(5, shuffle=True, random_state=0).split(codes, labels))
    search = search_probe(codes, labels, folds, loss="svm", class_count=2, balanced=True)
    scaler = StandardScaler().fit(codes)
    theirs = LinearSVC(C=search.C, class_weight="balanced", max_iter=100_000, tol=1e-8, intercept_scaling=100)
    theirs.fit(scaler.transform(codes), labels)

    assert (search.probe.predict(fresh) != theirs.predict(scaler.transform(fresh))).sum() <= 8
