"""scikit-learn's own checks of estimators, on rows of numbers that an adapter draws as tiny images."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
from sklearn.utils.estimator_checks import parametrize_with_checks
from sklearn.utils.validation import check_is_fitted, validate_data

from unfreeze import CodesTransformer, TransferClassifier

pytestmark = pytest.mark.slow

SIDE = 32


class Drawing:
    """Numbers as grey stripes, one for each feature: the smallest seen in training is black, the largest white."""

    def __init__(self, rows: NDArray[Any]) -> None:
        self.low, self.high = rows.min(axis=0), rows.max(axis=0)

    def images(self, rows: NDArray[Any]) -> list[NDArray[np.uint8]]:
        """An image a row."""
        span = np.where(self.high > self.low, self.high - self.low, 1.0)
        levels = (np.clip((rows - self.low) / span, 0, 1) * 255).astype(np.uint8)
        columns = np.arange(SIDE) * rows.shape[1] // SIDE
        return [np.tile(row[columns], (SIDE, 1)) for row in levels]


class ClassifierOfRows(ClassifierMixin, BaseEstimator):
    """`TransferClassifier` for rows of numbers; labels and settings go to it as they are."""

    def __init__(self, strategy: str = "softmax-last", random_state: int = 0) -> None:
        self.strategy = strategy
        self.random_state = random_state

    def fit(self, X: Any, y: Any) -> "ClassifierOfRows":
        """Draw the rows and train."""
        rows = validate_data(self, X, dtype=np.float64)
        self.drawing_ = Drawing(rows)
        inner = TransferClassifier(strategy=self.strategy, size=SIDE, random_state=self.random_state)
        self.classifier_ = inner.fit(self.drawing_.images(rows), y)
        self.classes_ = self.classifier_.classes_
        return self

    def _drawn(self, X: Any) -> list[NDArray[np.uint8]]:
        check_is_fitted(self)
        return self.drawing_.images(validate_data(self, X, reset=False, dtype=np.float64))

    def predict(self, X: Any) -> NDArray[Any]:
        """Labels."""
        drawn = self._drawn(X)
        return self.classifier_.predict(drawn)

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Probabilities."""
        drawn = self._drawn(X)
        return self.classifier_.predict_proba(drawn)

    def decision_function(self, X: Any) -> NDArray[np.float64]:
        """Scores."""
        drawn = self._drawn(X)
        return self.classifier_.decision_function(drawn)


class CodesOfRows(TransformerMixin, BaseEstimator):
    """`CodesTransformer` for rows of numbers."""

    def __init__(self, taps: str = "last") -> None:
        self.taps = taps

    def fit(self, X: Any, y: Any = None) -> "CodesOfRows":
        """Draw the rows and load the network."""
        rows = validate_data(self, X, dtype=np.float64)
        self.drawing_ = Drawing(rows)
        self.transformer_ = CodesTransformer(taps=self.taps, size=SIDE).fit(self.drawing_.images(rows), y)
        return self

    def transform(self, X: Any) -> NDArray[np.float32]:
        """Codes."""
        check_is_fitted(self)
        return self.transformer_.transform(self.drawing_.images(validate_data(self, X, reset=False, dtype=np.float64)))

    def __sklearn_tags__(self) -> Any:
        """Codes are float32, whatever the rows are."""
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = []
        return tags

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[Any]:
        """Names of the columns."""
        check_is_fitted(self)
        return self.transformer_.get_feature_names_out(input_features)


EXCEPTIONS = {
    "check_classifiers_train": "two grey stripes say too little of three clouds of points for an accuracy of 0.83",
}


@parametrize_with_checks([ClassifierOfRows(), CodesOfRows()], expected_failed_checks=lambda _: EXCEPTIONS)
def test_scikit_learns_own_check_holds(estimator: BaseEstimator, check: Callable[[BaseEstimator], None]) -> None:
    """What scikit-learn asks of every estimator, but for the exceptions above."""
    check(estimator)
