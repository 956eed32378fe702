"""What was picked against answers without a look at the image."""

from collections.abc import Callable

import numpy as np
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.metrics import balanced_accuracy_score, log_loss

from unfreeze.advisor.baseline import blind, no_better_than_blind
from unfreeze.advisor.questions import Question
from unfreeze.core.findings import Finding
from unfreeze.core.settings import Metric
from unfreeze.core.strategies import HEAD
from unfreeze.data.tasks import Task
from unfreeze.strategies.predictions import Measured

TaskOf = Callable[..., Task]
Measure = Callable[..., Measured]
METRICS: tuple[Metric, ...] = ("accuracy", "balanced accuracy", "log-loss")


def found_by(metric: Metric, picked: Measured, task: Task) -> Finding | None:
    """What is noticed where this metric decides."""
    return no_better_than_blind(picked, Question(task=task, metric=metric, margin=0.01, seed=0))


def rows_of(task: Task, label: int) -> list[int]:
    """Of a class."""
    return np.flatnonzero(task.labels == label).tolist()


def test_blind_answers_are_those_of_a_dummy(task_of: TaskOf) -> None:
    """scikit-learn's dummy that has learned the same says the same, and its priors have the same log-loss."""
    task = task_of({"a": 40, "b": 70, "c": 10})
    for split in map(task.split, range(task.folds)):
        nothing = np.zeros((len(task.labels), 1))
        dummy = DummyClassifier(strategy="prior").fit(nothing[split.learn], task.labels[split.learn])
        found, labels = blind(task, split), task.labels[split.test]

        assert found.predictions.tolist() == dummy.predict(nothing[split.test]).tolist()
        assert found.log_likelihoods is not None
        expected = log_loss(labels, dummy.predict_proba(nothing[split.test]), labels=[0, 1, 2])
        assert -found.log_likelihoods.mean() == pytest.approx(expected)


@pytest.mark.parametrize("metric", ["accuracy", "balanced accuracy"])
@pytest.mark.parametrize("splits", [1, 5])
def test_one_class_named_always_is_noticed(task_of: TaskOf, measured: Measure, metric: Metric, splits: int) -> None:
    """Fifty images and two, of which all are called ants: 96 % of nothing learned, by either metric, on any splits."""
    task = task_of({"ants": 50, "bees": 2})

    found = found_by(metric, measured(HEAD, task, rows_of(task, 1), splits=splits), task)

    assert found is not None
    assert (found.code, found.severity) == ("UF130", "warning")
    assert found.sentence.startswith(f"Head is no better than always answering 'ants': {metric} ")
    assert "(+0.0 points, 95 % interval -" in found.sentence
    assert found.sentence.endswith("It answered 'ants' to every image.")


def test_its_balanced_accuracy_is_one_over_the_classes(task_of: TaskOf, measured: Measure) -> None:
    """As scikit-learn has it: a half of two classes, however unequal."""
    task = task_of({"ants": 50, "bees": 2})
    half = balanced_accuracy_score(task.labels, np.zeros_like(task.labels))

    found = found_by("balanced accuracy", measured(HEAD, task, rows_of(task, 1)), task)

    assert half == 0.5
    assert found is not None
    assert "balanced accuracy 50.0 % against 50.0 % on the same held-out images" in found.sentence


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("splits", [1, 5])
def test_what_has_learned_is_not_spoken_of(task_of: TaskOf, measured: Measure, metric: Metric, splits: int) -> None:
    """Right nearly everywhere, of equal classes and of unequal ones."""
    for sizes in ({"a": 300, "b": 300}, {"a": 450, "b": 150}):
        task = task_of(sizes)

        assert found_by(metric, measured(HEAD, task, range(3), splits=splits), task) is None


def test_a_gain_within_chance_is_not_called_none(task_of: TaskOf, measured: Measure) -> None:
    """Four more of a hundred images right than with one answer: it may be better, and that is not shown."""
    task = task_of({"a": 50, "b": 50})
    wrong = [*rows_of(task, 0)[:25], *rows_of(task, 1)[:21]]

    found = found_by("accuracy", measured(HEAD, task, wrong), task)

    assert found is not None
    assert "Head is not shown to be better than always answering 'a': accuracy 54.0 % against 50.0 %" in found.sentence
    assert "to every image" not in found.sentence


def test_by_log_loss_an_answer_that_knows_the_shares_counts(task_of: TaskOf, measured: Measure) -> None:
    """Always the larger class, and surer of it than its share: worse than knowing how frequent the classes are."""
    task = task_of({"ants": 50, "bees": 50})

    found = found_by("log-loss", measured(HEAD, task, rows_of(task, 1), sure=0.9), task)

    assert found is not None
    assert "no better than saying how frequent each class is, whatever the image: log-loss" in found.sentence
    assert "nats" in found.sentence
