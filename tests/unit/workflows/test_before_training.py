"""What is found out before any network is trained, on a tiny network with random weights."""

from collections.abc import Callable
from unittest.mock import Mock

import pytest

from unfreeze.core.facts import Similarity
from unfreeze.features.similarity import SAMPLE
from unfreeze.strategies.experiment import Experiment
from unfreeze.workflows import before_training
from unfreeze.workflows.before_training import similarity_within

MakeExperiment = Callable[..., Experiment]
SIMILARITY = Similarity(value=0.5, divergence=0.1)


@pytest.mark.parametrize(("budget", "images"), [(0.0, 20), (80.0, 20), (400.0, 100), (1e9, SAMPLE)])
def test_similarity_takes_a_small_share_of_the_budget(
    make_experiment: MakeExperiment, monkeypatch: pytest.MonkeyPatch, budget: float, images: int
) -> None:
    """Two hundredths of it at 80 ms per image: 100 images in 400 s, at least twenty, and no more than are of use."""
    asked = Mock(return_value=SIMILARITY)
    monkeypatch.setattr(before_training, "measure_similarity", asked)
    experiment = make_experiment(40, 10)

    assert similarity_within(experiment, budget=budget) is SIMILARITY
    assert asked.call_args.kwargs["count"] == images


def test_similarity_is_that_of_the_train_part(make_experiment: MakeExperiment, monkeypatch: pytest.MonkeyPatch) -> None:
    """The user's own test folder is not looked at."""
    asked = Mock(return_value=SIMILARITY)
    monkeypatch.setattr(before_training, "measure_similarity", asked)
    similarity_within(make_experiment(40, 10), budget=100.0)

    assert [image.name for image in asked.call_args.args[1]] == [f"{row:04}" for row in range(40)]
