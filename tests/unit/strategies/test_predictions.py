"""What is kept of fits, and the scores that are made of it."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import t as student
from sklearn.metrics import accuracy_score, balanced_accuracy_score, log_loss
from sklearn.utils.extmath import softmax

from unfreeze.core.records import Cost, Outcome
from unfreeze.core.strategies import HEAD, SVM_ON_LAST
from unfreeze.data.tasks import Task
from unfreeze.strategies import predictions as module
from unfreeze.strategies.predictions import (
    Measured,
    Predicted,
    confirmation_of,
    log_likelihoods,
    predicted_of,
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


def test_scores_are_kept_of_the_first_round_alone(make_rows: MakeTask, monkeypatch: pytest.MonkeyPatch) -> None:
    """Later rounds test the same images again; and where there are too many scores, none are kept."""
    task = make_rows(50)
    scores = np.zeros((10, 2), np.float32)
    first, later = (predicted_of(scores, task, task.split(number)) for number in (4, 5))

    assert first.scores is not None
    assert first.scores.shape == (10, 2)
    assert later.scores is None
    assert predicted_of(scores, task, task.half(task.split(0))).scores is None
    monkeypatch.setattr(module, "MOST_SCORES", 19)
    assert predicted_of(scores, task, task.split(0)).scores is None


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


def unequal(make_rows: MakeTask) -> Task:
    """Forty images of one class and ten of another, in which each fold tests two."""
    task = make_rows(50)
    return replace(task, labels=(np.arange(50) >= 40).astype(np.int64))


def test_scores_are_those_of_all_images_and_no_means_of_folds(make_rows: MakeTask, rng: np.random.Generator) -> None:
    """After a whole round accuracy and balanced accuracy are scikit-learn's on all predictions, each image once."""
    task, splits = unequal(make_rows), range(5)
    said = rng.integers(0, 2, 50)
    kept = tuple(
        Predicted(split=split, predictions=said[split.test], log_likelihoods=None) for split in map(task.split, splits)
    )
    found = Measured(Outcome(strategy=SVM_ON_LAST, description=""), kept)

    assert found.score("accuracy", task) == pytest.approx(accuracy_score(task.labels, said))
    assert found.score("balanced accuracy", task) == pytest.approx(balanced_accuracy_score(task.labels, said))
    record = found.record(task)
    assert (record.accuracy, record.balanced_accuracy) == pytest.approx(
        (accuracy_score(task.labels, said), balanced_accuracy_score(task.labels, said))
    )


def test_weighted_values_have_the_metric_as_their_mean(make_rows: MakeTask, rng: np.random.Generator) -> None:
    """With the weights of the whole train part, never those of a fold; plain values are 1 and 0 and carry none."""
    task, said = unequal(make_rows), rng.integers(0, 2, 50)
    kept = [
        Predicted(split=split, predictions=said[split.test], log_likelihoods=np.zeros(len(split.test)))
        for split in map(task.split, range(5))
    ]

    weighted = np.concatenate([one.weighted("balanced accuracy", task) for one in kept])

    assert weighted.mean() == pytest.approx(balanced_accuracy_score(task.labels, said))
    assert set(np.round(weighted, 9)) <= {0.0, round(50 / 80, 9), round(50 / 20, 9)}
    assert set(np.concatenate([one.values("balanced accuracy", task) for one in kept])) <= {0.0, 1.0}
    for metric in ("accuracy", "log-loss"):
        for one in kept:
            np.testing.assert_array_equal(one.weighted(metric, task), one.values(metric, task))


def test_the_interval_of_an_accuracy_is_that_of_its_images(make_rows: MakeTask) -> None:
    """Ten of fifty wrong: 1.2² (S² + 1/n)/n, Student's t with n - 1; all right leave 3/n open, and no more than all."""
    task = make_rows(50)
    found = measured(task, 2, 2, 2, 2, 2).record(task).interval
    perfect = measured(task, 0, 0, 0, 0, 0).record(task).interval
    half = student.ppf(0.975, 49) * 1.2 * np.sqrt((0.8 * 0.2 * 50 / 49 + 1 / 50) / 50)

    assert found == pytest.approx((0.8 - half, 0.8 + half))
    assert perfect is not None
    assert perfect.high == 1
    assert perfect.low == pytest.approx(1 - 3 / 50)


def test_only_what_has_splits_enough_is_compared(make_rows: MakeTask) -> None:
    """A round of five splits is enough, and where nothing has five, as many as any has."""
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
