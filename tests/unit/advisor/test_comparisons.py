"""Steps between strategies whose predictions are known."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from unfreeze.advisor.comparisons import Comparisons
from unfreeze.core.records import Interval, Settling
from unfreeze.core.settings import Metric
from unfreeze.core.strategies import HEAD, SVM_ON_LAST, unfreeze
from unfreeze.data.tasks import Task
from unfreeze.strategies.predictions import Measured

MakeTask = Callable[..., Task]
Measure = Callable[..., Measured]
Compare = Callable[..., Comparisons]
ONE = unfreeze(1)


def test_a_step_on_few_splits_asks_for_more_of_them(
    make_rows: MakeTask, measured: Measure, comparisons: Compare
) -> None:
    """Below five common splits nothing is computed about what would settle it."""
    task = make_rows(100)
    step = comparisons(task).compare(measured(HEAD, task), measured(ONE, task, splits=3))

    assert (step.answer, step.settling) == ("cannot tell", Settling(kind="few"))


def test_what_was_dropped_is_not_said_to_be_settled_by_more_time(
    make_rows: MakeTask, measured: Measure, comparisons: Compare
) -> None:
    """No budget repeats a strategy that was dropped."""
    task = make_rows(100)
    first, second = measured(HEAD, task), measured(ONE, task, range(0, 100, 25), status="dropped")

    assert comparisons(task).compare(first, second).settling == Settling(kind="dropped")


@pytest.mark.parametrize(("metric", "largest"), [("accuracy", 1.0), ("balanced accuracy", 1.0)])
def test_identical_outcomes_on_one_split_leave_room_for_what_was_not_seen(
    make_rows: MakeTask, measured: Measure, comparisons: Compare, metric: Metric, largest: float
) -> None:
    """The rule of three over the twenty test images, whichever metric decides; two equal classes weigh as one image."""
    task = make_rows(100)
    step = comparisons(task, metric).compare(measured(HEAD, task, splits=1), measured(ONE, task, splits=1))

    assert step.interval.high == pytest.approx(3 * largest / 20, rel=0.11)
    assert step.interval.low == pytest.approx(-step.interval.high)


def test_tiny_classes_widen_an_interval_as_their_larger_test_parts_do(
    make_rows: MakeTask, measured: Measure, comparisons: Compare
) -> None:
    """Of two images a class one trains and one tests, so splits overlap more than the usual fifth would make them."""
    task = make_rows(4)
    assert task.tested_share([task.split(0)]) == pytest.approx(0.5)

    found = comparisons(task).estimate(measured(HEAD, task, splits=20), measured(ONE, task, [0], splits=20))

    assert found.test_fraction == pytest.approx(0.5)


def test_a_step_is_estimated_once_for_the_same_splits(
    make_rows: MakeTask, measured: Measure, comparisons: Compare
) -> None:
    """Whoever asks again for two strategies on the same common splits gets the estimate that was made before."""
    task = make_rows(100)
    known = comparisons(task)
    head, one = measured(HEAD, task, range(20)), measured(ONE, task, range(10))
    first = known.estimate(head, one)

    assert known.estimate(head, one) is first
    assert known.estimate(measured(HEAD, task, range(20), splits=10), one) is first  # five are common still
    assert known.estimate(head, replace(one, outcome=replace(one.outcome, status="dropped"))) is first


def test_another_split_direction_or_margin_is_another_estimate(
    make_rows: MakeTask, measured: Measure, comparisons: Compare
) -> None:
    """After one more common split, the other way round, or with another margin, nothing old is given."""
    task = make_rows(100)
    known = comparisons(task)
    head, one = (measured(strategy, task, wrong) for strategy, wrong in ((HEAD, range(20)), (ONE, range(10))))
    first = known.estimate(head, one)
    longer = known.estimate(measured(HEAD, task, range(20), splits=6), measured(ONE, task, range(10), splits=6))
    turned = known.estimate(one, head)
    wider = known.estimate(head, one, margin=0.5)

    assert (first.splits, longer.splits) == (5, 6)
    assert turned.difference == pytest.approx(-first.difference)
    assert first.better is not None
    assert wider.better is not None
    assert wider.better < first.better
    assert known.estimate(head, one) is first


def test_a_step_counts_predictions_that_differ_on_common_splits(
    make_rows: MakeTask, measured: Measure, comparisons: Compare
) -> None:
    """Ten rows are wrong in one of the two strategies alone: as often as they are tested, predictions disagree."""
    task = make_rows(100)
    step = comparisons(task).compare(measured(HEAD, task, range(10), splits=7), measured(ONE, task, splits=5))
    tested = [row for number in range(5) for row in task.split(number).test.tolist()]

    assert (step.first, step.second, step.splits) == (HEAD, ONE, 5)
    assert step.predictions == len(tested) == 5 * 20
    assert step.disagreements == sum(row < 10 for row in tested)
    assert step.difference == pytest.approx(step.disagreements / step.predictions)


def test_more_images_settle_what_splits_cannot(make_rows: MakeTask, measured: Measure, comparisons: Compare) -> None:
    """On twenty splits of few images an open step asks for a range of more images, or says that they do not help."""
    task = make_rows(60)
    step = comparisons(task).compare(
        measured(HEAD, task, range(0, 60, 12), splits=20), measured(ONE, task, range(0, 60, 20), splits=20)
    )

    assert step.answer == "cannot tell"
    assert step.settling is not None
    assert step.settling.kind in {"images", "beyond"}
    assert step.settling.kind == "beyond" or 0 < (step.settling.low or 0) < (step.settling.high or 0)


def test_by_log_loss_a_step_is_in_nats_with_its_sign_turned(
    make_rows: MakeTask, measured: Measure, comparisons: Compare
) -> None:
    """The truth at 0.8 and then at 0.9: a gain of log 0.9 less log 0.8, on one split with an interval around it too."""
    task = make_rows(100)
    gain = np.log(0.9) - np.log(0.8)

    for splits in (1, 5):
        step = comparisons(task, "log-loss").compare(
            measured(HEAD, task, sure=0.8, splits=splits), measured(ONE, task, sure=0.9, splits=splits)
        )
        assert step.difference == pytest.approx(gain)
        assert isinstance(step.interval, Interval)
        assert step.interval.low <= gain <= step.interval.high


def test_a_strategy_without_the_metric_is_not_comparable(
    make_rows: MakeTask, measured: Measure, comparisons: Compare
) -> None:
    """An SVM has an accuracy and no log-loss, and what was not measured has neither."""
    task = make_rows(100)
    svm = measured(SVM_ON_LAST, task, probabilities=False)

    assert comparisons(task).has_metric(svm)
    assert not comparisons(task, "log-loss").has_metric(svm)
    assert not comparisons(task).has_metric(measured(HEAD, task, splits=0))


def test_the_mean_score_is_the_mean_over_splits(make_rows: MakeTask, measured: Measure, comparisons: Compare) -> None:
    """With the first half of the rows wrong, the mean over splits of the share of test images in the second half."""
    task = make_rows(100)
    half = measured(HEAD, task, range(50))
    right = [np.mean(task.split(number).test >= 50) for number in range(5)]

    assert comparisons(task).mean_score(half) == pytest.approx(np.mean(right))
    assert comparisons(task, "log-loss").mean_score(measured(HEAD, task, sure=0.9)) == pytest.approx(np.log(0.9))
