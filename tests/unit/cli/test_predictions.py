"""What `unfreeze predict` says of an image."""

import numpy as np
import pytest
from scipy.special import softmax

from unfreeze.cli.predict import prediction_document
from unfreeze.workflows.prediction import Predictions

SCORES = np.array([[-0.25, 1.5, -2.0]], np.float32)


def said(*, gives_probabilities: bool) -> Predictions:
    """Predictions for one image."""
    return Predictions(("x.png",), ("ant", "bee", "cat"), SCORES, (), gives_probabilities)


def test_a_softmax_head_gives_probabilities() -> None:
    """The best labels come first, with their softmax."""
    (row,) = prediction_document(said(gives_probabilities=True), top=2)["images"]

    assert [guess["label"] for guess in row["top"]] == ["bee", "ant"]
    assert row["probability"] == pytest.approx(softmax(SCORES[0])[1], abs=1e-6)


def test_an_svm_head_gives_scores_and_no_probability() -> None:
    """A margin is given as it is: a softmax of margins would look like a probability and be none."""
    (row,) = prediction_document(said(gives_probabilities=False), top=1)["images"]

    assert row["top"] == [{"label": "bee", "score": 1.5}]
    assert "probability" not in row
