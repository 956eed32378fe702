"""What a delivered model says of an image."""

import numpy as np
import pytest
from scipy.special import softmax

from unfreeze.core.documents import Guess
from unfreeze.workflows.prediction import Predictions, prediction_record

SCORES = np.array([[-0.25, 1.5, -2.0]], np.float32)


def said(*, gives_probabilities: bool) -> Predictions:
    """Predictions for one image."""
    return Predictions(("x.png",), ("ant", "bee", "cat"), SCORES, (), gives_probabilities)


def test_a_softmax_head_gives_probabilities() -> None:
    """The best labels come first, with their softmax."""
    (row,) = prediction_record(said(gives_probabilities=True), top=2).images

    assert [guess.label for guess in row.top] == ["bee", "ant"]
    assert row.probability == pytest.approx(softmax(SCORES[0])[1], abs=1e-6)


def test_an_svm_head_gives_scores_and_no_probability() -> None:
    """A margin is given as it is: a softmax of margins would look like a probability and be none."""
    (row,) = prediction_record(said(gives_probabilities=False), top=1).images

    assert row.top == (Guess(label="bee", probability=None, score=1.5),)
    assert (row.probability, row.score) == (None, 1.5)
