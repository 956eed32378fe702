"""Our temperature against scikit-learn's."""

import numpy as np
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression

from unfreeze.metrics.calibration import fit_temperature


@pytest.mark.parametrize("factor", [0.3, 1.0, 4.0])
def test_the_temperature_is_that_of_scikit_learn(rng: np.random.Generator, factor: float) -> None:
    """On thousands of images, where one image more hardly counts."""
    scores = rng.normal(size=(4000, 3))
    labels = (scores + rng.gumbel(size=(4000, 3))).argmax(axis=1)
    scores *= factor
    as_they_are = LogisticRegression().fit(scores, labels)
    as_they_are.coef_, as_they_are.intercept_ = np.eye(3), np.zeros(3)
    theirs = CalibratedClassifierCV(FrozenEstimator(as_they_are), method="temperature").fit(scores, labels)

    inverse = theirs.calibrated_classifiers_[0].calibrators[0].beta_

    assert fit_temperature(scores, labels) == pytest.approx(1 / inverse, rel=0.01)
