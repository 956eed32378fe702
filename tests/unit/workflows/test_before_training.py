"""What is found out before any network is trained, on a tiny network with random weights."""

from collections.abc import Callable
from typing import Any
from unittest.mock import Mock

import pytest

from unfreeze.advisor.questions import Question
from unfreeze.core.facts import Similarity
from unfreeze.core.settings import Metric
from unfreeze.core.strategies import FULL, HEAD, SOFTMAX_ON_BEST, SOFTMAX_ON_LAST, unfreeze
from unfreeze.features.similarity import SAMPLE
from unfreeze.strategies.experiment import Experiment
from unfreeze.strategies.step_one import StepOne
from unfreeze.workflows import before_training
from unfreeze.workflows.before_training import facts_before_training, gain_forecasts, similarity_within

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


def test_facts_know_the_probes_of_the_first_split_alone(make_experiment: MakeExperiment, heard: Any) -> None:
    """Every tap and loss is fitted on one split, whoever measures there finds them, and the peak is one of the taps."""
    experiment = make_experiment(40)
    shared = StepOne(experiment)
    facts = facts_before_training(shared, SIMILARITY)
    taps = [cut.name for cut in experiment.source.taps]

    assert shared.depth_curve() == shared.points(experiment.task.split(0), shared.every_probe)
    assert ("probes", 2 * len(taps), "fit") in heard.phases
    assert (facts.images, facts.classes, facts.similarity) == (40, 2, SIMILARITY)
    assert facts.peak_tap in taps
    assert facts.probe_accuracy == shared.on_last(experiment.task.split(0), "softmax").cv_accuracy


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        ("accuracy", [SOFTMAX_ON_BEST, HEAD, unfreeze(1), unfreeze(2)]),
        ("log-loss", []),
    ],
)
def test_what_the_table_of_studies_knows_is_forecast(
    make_experiment: MakeExperiment, metric: Metric, expected: list[object]
) -> None:
    """Each step from the probe to two blocks in its order; neither the whole network nor anything in log-loss."""
    experiment = make_experiment(40)
    question = Question(task=experiment.task, metric=metric, margin=0.01, seed=0)
    found = gain_forecasts(StepOne(experiment), SIMILARITY, [unfreeze(1), unfreeze(2), FULL], question)

    assert [forecast.strategy for forecast in found] == expected
    assert [forecast.over for forecast in found] == [SOFTMAX_ON_LAST, *expected[:-1]][: len(expected)]
    assert all(forecast.low < forecast.gain < forecast.high and 0 < forecast.pays < 1 for forecast in found)
