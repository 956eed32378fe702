"""What is kept of fits, and the scores that are made of it."""

from collections.abc import Callable

import numpy as np
import pytest
from sklearn.metrics import log_loss
from sklearn.utils.extmath import softmax

from unfreeze.core.records import Cost, Outcome
from unfreeze.core.strategies import HEAD, SVM_ON_LAST
from unfreeze.data.tasks import Task
from unfreeze.strategies.predictions import (
    Measured,
    Predicted,
    confirmation_of,
    log_likelihoods,
    predicted_of,
    units_of,
    well_measured,
)

MakeTask = Callable[..., Task]


def scores_with(task: Task, rows: np.ndarray, *, wrong: int, sure: float = 2.0) -> np.ndarray:
    """Scores of two classes that are wrong on the first rows and right on the others."""
    said = task.labels[rows].copy()
    said[:wrong] = 1 - said[:wrong]
    return (sure * np.eye(2)[said]).astype(np.float32)


def measured(task: Task, *wrong: int, outcome: Outcome | None = None) -> Measured:
    """A strategy with so many wrong predictions on each of the first splits."""
    kept = []
    for number, of_split in enumerate(wrong):
        split = task.split(number)
        kept.append(predicted_of(scores_with(task, split.test, wrong=of_split), task, split))
    return Measured(outcome or Outcome(strategy=HEAD, description=""), tuple(kept))


def test_a_confident_mistake_costs_what_scikit_learn_says(rng: np.random.Generator) -> None:
    """The mean is scikit-learn's log-loss, and no mistake costs more than 36.04 nats."""
    scores, labels = rng.normal(0, 5, (50, 4)).astype(np.float32), rng.integers(0, 4, 50)
    likelihoods = log_likelihoods(scores, labels)
    worst = log_likelihoods(np.array([[1000.0, 0.0]], np.float32), np.array([1]))

    assert -likelihoods.mean() == pytest.approx(log_loss(labels, softmax(scores.astype(np.float64)), labels=range(4)))
    assert worst.tolist() == [pytest.approx(-36.0437, abs=1e-4)]


def test_margins_of_an_svm_are_no_probabilities(make_rows: MakeTask) -> None:
    """Its predictions count, its log-loss is infinitely bad, and nothing is said of likelihoods."""
    task = make_rows(50)
    split = task.split(0)
    kept = predicted_of(scores_with(task, split.test, wrong=1), task, split, probabilities=False)
    record = Measured(Outcome(strategy=SVM_ON_LAST, description=""), (kept,)).record(task)

    assert kept.log_likelihoods is None
    assert (kept.values("log-loss", task) == -np.inf).all()
    assert kept.values("accuracy", task).mean() == pytest.approx(0.9)
    assert (record.log_loss, record.log_likelihoods) == (None, ())


def test_a_record_has_the_means_over_splits(make_rows: MakeTask) -> None:
    """One and three wrong of ten are four fifths right, and the loss is that of scores two apart."""
    task = make_rows(50)
    record = measured(task, 1, 3).record(task)
    right, wrong = np.log1p(np.exp(-2.0)), np.log1p(np.exp(2.0))

    assert record.splits == 2
    assert record.accuracy == pytest.approx(0.8)
    assert record.log_loss == pytest.approx(0.8 * right + 0.2 * wrong)
    assert [len(one) for one in record.predictions] == [10, 10]
    assert record.interval is not None
    assert 0.0 <= record.interval.low <= 0.8 <= record.interval.high <= 1.0


def test_one_split_has_no_interval(make_rows: MakeTask) -> None:
    """How much splits differ cannot be known from one."""
    task = make_rows(50)

    assert measured(task, 1).record(task).interval is None


def test_without_predictions_the_record_stays(make_rows: MakeTask) -> None:
    """What was left out keeps its reason and gets no score."""
    outcome = Outcome(strategy=HEAD, description="", status="left out", note="no time")

    assert Measured(outcome).record(make_rows(20)) == outcome


def test_balanced_accuracy_counts_classes_alike(make_rows: MakeTask) -> None:
    """Of five images of each class, all right in one and none in the other, half are right."""
    task = make_rows(50)
    split = task.split(0)
    only = Predicted(split=split, predictions=np.zeros(len(split.test), np.int64), log_likelihoods=None)

    record = Measured(Outcome(strategy=HEAD, description=""), (only,)).record(task)
    assert record.balanced_accuracy == pytest.approx(0.5)


def test_only_what_has_splits_enough_is_compared(make_rows: MakeTask) -> None:
    """Five splits are enough, and where nothing has five, as many as any has."""
    task = make_rows(50)
    one, two, five, seven = (measured(task, *([1] * number)) for number in (1, 2, 5, 7))

    assert well_measured([one, five, seven]) == [five, seven]
    assert well_measured([one, two]) == [two]
    assert well_measured([]) == []


def test_seconds_of_a_split_are_their_mean(make_rows: MakeTask) -> None:
    """Before the first split they are 0."""
    outcome = Outcome(strategy=HEAD, description="", cost=Cost(split_seconds=(1.0, 2.0, 6.0)))

    assert Measured(outcome).seconds_a_split == pytest.approx(3.0)
    assert Measured(Outcome(strategy=HEAD, description="")).seconds_a_split == 0.0


def test_images_of_a_group_are_one_unit(make_rows: MakeTask) -> None:
    """Test rows have the same number exactly where they have the same group."""
    groups = [f"g{row // 5}" for row in range(100)]
    task = make_rows(100, groups=groups)
    split = task.split(0)
    units = units_of(task, split)

    for one, a in zip(units, split.test, strict=True):
        for other, b in zip(units, split.test, strict=True):
            assert (one == other) == (groups[a] == groups[b])


def test_a_confirmation_needs_a_test_folder(make_rows: MakeTask) -> None:
    """Without one there is nothing to confirm on."""
    assert confirmation_of(np.empty((0, 2), np.float32), make_rows(20), probabilities=True, seed=0) is None


@pytest.mark.parametrize("probabilities", [True, False])
def test_a_confirmation_says_what_the_test_folder_says(make_rows: MakeTask, probabilities: bool) -> None:
    """Three wrong of twenty are 85 %, in the order of the folder, with a loss only where there are probabilities."""
    task = make_rows(30, 20)
    scores = scores_with(task, task.test_rows, wrong=3)
    found = confirmation_of(scores, task, probabilities=probabilities, seed=0)

    assert found is not None
    assert found.accuracy == pytest.approx(0.85)
    assert found.interval.low < 0.85 < found.interval.high
    assert list(found.predictions) == scores.argmax(axis=1).tolist()
    assert (found.log_loss is not None) == probabilities
    assert len(found.log_likelihoods) == (20 if probabilities else 0)


def test_groups_of_the_test_folder_widen_its_interval(make_rows: MakeTask) -> None:
    """Images of one subject, all right or all wrong, are one piece of evidence."""
    groups = [f"train {row}" for row in range(20)] + [f"test {row // 10}" for row in range(100)]
    alone, grouped = make_rows(20, 100), make_rows(20, 100, groups=groups)
    found = [
        confirmation_of(scores_with(task, task.test_rows, wrong=30), task, probabilities=True, seed=0)
        for task in (alone, grouped)
    ]

    widths = [one.interval.high - one.interval.low for one in found if one is not None]
    assert widths[1] > 1.5 * widths[0]
