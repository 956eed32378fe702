"""Choosing a strategy on what its splits held out."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from unfreeze.advisor.questions import Question
from unfreeze.advisor.selection import select_strategy, standard_error
from unfreeze.core.records import Outcome
from unfreeze.core.settings import Metric
from unfreeze.data.tasks import Task
from unfreeze.strategies.measurement import Measurement, Predicted

MakeTask = Callable[..., Task]


@pytest.fixture
def task(make_rows: MakeTask) -> Task:
    """Five hundred rows: each split tests on a hundred."""
    return make_rows(500)


def question(task: Task, metric: Metric = "accuracy", *, margin: float = 0.01) -> Question:
    """What the steps are measured by."""
    return Question(task=task, metric=metric, margin=margin, seed=0)


def measured(name: str, task: Task, wrong: Sequence[int], *, splits: int = 5, deliverable: bool = True) -> Measurement:
    """A strategy that is wrong on the given rows and right on all others."""
    outcome = Outcome(name=name, kind="head", trained="", deliverable=deliverable)
    found = []
    for number in range(splits):
        split = task.split(number)
        truth = task.labels[split.test]
        said = np.where(np.isin(split.test, wrong), 1 - truth, truth)
        found.append(Predicted(split=split, predictions=said, log_likelihoods=np.zeros(len(said))))
    return Measurement(None, outcome, found)


def test_a_gain_within_one_standard_error_does_not_pay(task: Task) -> None:
    """Sixteen images gained and fourteen lost, each tested once, are two more, with a standard error of five."""
    tested = np.concatenate([task.split(number).test for number in range(5)])
    rows, times = np.unique(tested, return_counts=True)
    once = rows[times == 1].tolist()
    cheap, dear = measured("cheap", task, once[:20]), measured("dear", task, once[16:34])
    selection = select_strategy([cheap, dear], question(task))

    assert selection is not None
    assert selection.picked is cheap


def test_a_clear_gain_is_taken(task: Task) -> None:
    """Fifty more images right of five hundred, none lost, are far beyond one standard error."""
    dear = measured("dear", task, range(10))
    selection = select_strategy([measured("cheap", task, range(60)), dear], question(task))

    assert selection is not None
    assert selection.picked is dear


def test_a_gain_that_is_settled_to_be_within_the_margin_is_not_taken(task: Task) -> None:
    """Ten more images right of five hundred are beyond one standard error, and nothing where ten points matter."""
    cheap, dear = measured("cheap", task, range(10)), measured("dear", task, [])

    for margin, picked in ((0.01, dear), (0.1, cheap)):
        selection = select_strategy([cheap, dear], question(task, margin=margin))
        assert selection is not None
        assert selection.picked is picked
        assert ("within your margin" in selection.because) == (picked is cheap)


def test_strategies_are_compared_on_splits_that_all_of_them_ran_on(task: Task) -> None:
    """What a cheap strategy got wrong on later splits is no gain of a dear one that ran on two."""
    late = sorted(set(task.split(2).test) - set(task.split(0).test) - set(task.split(1).test))
    cheap = measured("cheap", task, late)
    selection = select_strategy([cheap, measured("dear", task, [], splits=2)], question(task))

    assert selection is not None
    assert selection.picked is cheap


def test_a_strategy_with_few_splits_does_not_hide_what_others_gained(task: Task) -> None:
    """A third one that ran on a single split changes nothing about a gain that two others show on five."""
    cheap, dear = measured("cheap", task, range(60)), measured("dear", task, range(10))
    once = measured("once", task, range(30), splits=1)
    selection = select_strategy([cheap, dear, once], question(task))

    assert selection is not None
    assert selection.picked is dear
    assert "over cheap on 5 common splits" in selection.because


def test_nothing_is_compared_with_one_lucky_split(task: Task) -> None:
    """A probe that had time for one split, and stands before the others, comes after those that ran on five."""
    lucky = measured("lucky", task, range(10), splits=1)
    cheap, dear = measured("cheap", task, range(60)), measured("dear", task, range(10))
    selection = select_strategy([cheap, lucky, dear], question(task))

    assert selection is not None
    assert selection.picked is dear
    assert "over cheap on 5 common splits" in selection.because


def test_what_cannot_be_delivered_is_never_picked(task: Task) -> None:
    """A probe on a cut-off network is reported, not picked; of nothing nothing is picked."""
    tap, last = measured("tap", task, [], deliverable=False), measured("last codes", task, range(200))
    selection = select_strategy([tap, last], question(task))

    assert selection is not None
    assert selection.picked is last
    assert select_strategy([tap], question(task)) is None


def test_what_has_no_probabilities_cannot_win_by_log_loss(task: Task) -> None:
    """An SVM has no log-loss, so that it is passed over where that decides."""
    svm, softmax = measured("svm", task, []), measured("softmax", task, range(30))
    svm.predicted = [Predicted(split=p.split, predictions=p.predictions, log_likelihoods=None) for p in svm.predicted]
    selection = select_strategy([svm, softmax], question(task, "log-loss"))

    assert selection is not None
    assert selection.picked is softmax


def test_the_standard_error_is_that_of_a_mean_of_paired_differences(rng: np.random.Generator) -> None:
    """Of images that come up once it is the population standard deviation over the root of their number."""
    first, second = (rng.random(300) < 0.8).astype(float), (rng.random(300) < 0.7).astype(float)

    assert standard_error(first, second, [""] * 300) == pytest.approx((first - second).std() / np.sqrt(300))


def test_testing_an_image_again_is_no_new_evidence(rng: np.random.Generator) -> None:
    """The same predictions of the same images in three splits leave the standard error as it is."""
    first, second = (rng.random(60) < 0.8).astype(float), (rng.random(60) < 0.7).astype(float)
    units = [str(image) for image in range(60)]
    once = standard_error(first, second, units)

    assert standard_error(np.tile(first, 3), np.tile(second, 3), units * 3) == pytest.approx(once)
