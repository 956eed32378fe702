"""Steps between strategies whose predictions are known."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from unfreeze.advisor.comparisons import FUTILE, Comparisons
from unfreeze.core.records import Cost, Interval, Settling
from unfreeze.core.settings import Metric
from unfreeze.core.strategies import (
    HEAD,
    SOFTMAX_ON_BEST,
    SOFTMAX_ON_LAST,
    SVM_ON_BEST,
    SVM_ON_LAST,
    StrategyId,
    unfreeze,
)
from unfreeze.data.tasks import Task
from unfreeze.metrics.settling import chance_of_settling
from unfreeze.strategies.predictions import Measured

MakeTask = Callable[..., Task]
Measure = Callable[..., Measured]
Compare = Callable[..., Comparisons]
ONE, TWO = unfreeze(1), unfreeze(2)


def test_a_step_on_few_splits_asks_for_more_of_them(
    make_rows: MakeTask, measured: Measure, comparisons: Compare
) -> None:
    """One common split says nothing: the other four of a round take the second side four times its seconds a split."""
    task, cost = make_rows(100), Cost(split_seconds=(3.0,))
    step = comparisons(task).compare(measured(HEAD, task), measured(ONE, task, splits=1, cost=cost))

    assert (step.answer, step.settling) == ("cannot tell", Settling(kind="few", seconds=12.0))
    assert (step.worse, step.equivalent, step.better) == (None, None, None)


def test_two_common_splits_may_decide(make_rows: MakeTask, measured: Measure, comparisons: Compare) -> None:
    """Where every image that they tested was gained."""
    task = make_rows(100)
    step = comparisons(task).compare(measured(HEAD, task, range(100)), measured(ONE, task, splits=2))

    assert (step.answer, step.splits, step.settling) == ("worth it", 2, None)


def test_more_rounds_are_named_with_what_they_take(
    make_rows: MakeTask, measured: Measure, comparisons: Compare
) -> None:
    """A gain that another round would settle: ten splits, five more of each side; images are not spoken of."""
    task, found = make_rows(300), set()
    sides = [(HEAD, Cost(split_seconds=(2.0,) * 5)), (ONE, Cost(split_seconds=(30.0,) * 5))]
    for lost in range(20, 40):
        step = comparisons(task).compare(
            *(measured(s, task, range(w), cost=c) for (s, c), w in zip(sides, (lost, 20), strict=True))
        )
        if step.settling is not None and step.settling.kind == "splits":
            assert step.settling.splits in {10, 20}
            assert step.settling.seconds == pytest.approx((step.settling.splits - 5) * 32.0)
            assert (step.settling.low, step.settling.high) == (None, None)
            found.add(step.settling.splits)
    assert 10 in found


@pytest.mark.parametrize(
    ("first", "second"), [(SOFTMAX_ON_LAST, HEAD), (SOFTMAX_ON_LAST, SOFTMAX_ON_BEST), (SVM_ON_LAST, SVM_ON_BEST)]
)
def test_what_is_one_function_and_predicts_alike_is_the_same(
    make_rows: MakeTask, measured: Measure, comparisons: Compare, first: StrategyId, second: StrategyId
) -> None:
    """No step is asked and nothing would settle it; one prediction that differs makes it a step again.

    It is open where five do, which more splits may settle.
    """
    task = make_rows(100)
    known = comparisons(task)
    alike = measured(first, task, range(10)), measured(second, task, range(10))
    other = measured(second, task, range(11))

    step = known.compare(*alike)
    assert (step.answer, step.settling, step.disagreements) == ("same", None, 0)
    assert known.are_the_same(*alike)
    assert not known.is_open(*alike)
    assert known.compare(alike[0], other).answer == "cannot tell"
    assert comparisons(task).is_open(alike[0], measured(second, task, range(5)))


def test_what_cannot_be_one_function_is_a_step_though_it_predicts_alike(
    make_rows: MakeTask, measured: Measure, comparisons: Compare
) -> None:
    """A trained block that changes no prediction is not known to be equivalent within a point from 100 images."""
    task = make_rows(100)
    step = comparisons(task).compare(measured(HEAD, task), measured(ONE, task))

    assert step.answer == "cannot tell"
    assert (step.interval.low, step.interval.high) == pytest.approx((-0.03, 0.03))


def test_one_split_does_not_make_two_strategies_one(
    make_rows: MakeTask, measured: Measure, comparisons: Compare
) -> None:
    """In the next one another tap may be chosen: two common splits are needed."""
    task = make_rows(100)
    known = comparisons(task)

    assert known.compare(measured(SOFTMAX_ON_LAST, task), measured(HEAD, task, splits=1)).answer == "cannot tell"
    assert known.compare(measured(SOFTMAX_ON_LAST, task), measured(HEAD, task, splits=2)).answer == "same"


def test_where_probabilities_decide_they_are_the_same_too(
    make_rows: MakeTask, measured: Measure, comparisons: Compare
) -> None:
    """The same predictions with other probabilities are no difference of accuracy, and one of log-loss."""
    task = make_rows(100)
    sides = measured(SOFTMAX_ON_LAST, task, sure=0.8), measured(HEAD, task, sure=0.9)

    assert comparisons(task).compare(*sides).answer == "same"
    assert comparisons(task, "log-loss").compare(*sides).answer == "worth it"
    assert comparisons(task, "log-loss").are_the_same(sides[1], measured(SOFTMAX_ON_BEST, task, sure=0.9))


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


def test_classes_are_compared_class_by_class(make_rows: MakeTask, measured: Measure, comparisons: Compare) -> None:
    """By balanced accuracy, half of one class gained is a quarter, with 1.2² (S² + 0.5/50)/50/4 of each of two."""
    task = make_rows(100)
    found = comparisons(task, "balanced accuracy").estimate(measured(HEAD, task, range(0, 50, 2)), measured(ONE, task))
    spread = 0.25 * 50 / 49  # of 25 ones among 50

    assert found.difference == pytest.approx(0.25)
    assert found.image_variance + found.training_variance == pytest.approx(1.44 * (spread + 2 * 0.5 / 50) / 50 / 4)


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


def test_what_was_estimated_of_shorter_trainings_is_forgotten(
    make_rows: MakeTask, measured: Measure, comparisons: Compare
) -> None:
    """On the same splits a strategy that was trained for longer is estimated anew, on either side; others are not."""
    task = make_rows(100)
    known = comparisons(task)
    head, one, two = measured(HEAD, task, range(20)), measured(ONE, task, range(10)), measured(TWO, task)
    before, beside = known.estimate(head, one), known.estimate(head, two)
    known.estimate(one, two)
    known.forget(ONE)
    longer = measured(ONE, task, range(5))

    assert before.difference == pytest.approx(0.1)
    assert known.estimate(head, longer).difference == pytest.approx(0.15)
    assert known.estimate(longer, two).difference == pytest.approx(0.05)
    assert known.estimate(head, two) is beside


@pytest.mark.parametrize("splits", [5, 10])
def test_a_step_is_open_while_more_splits_may_well_settle_it(
    make_rows: MakeTask, measured: Measure, comparisons: Compare, splits: int
) -> None:
    """By the probability that twenty splits settle it: one in twenty and more; gains of any size have both."""
    task, seen = make_rows(100), set()
    for lost in range(0, 60, 2):
        known = comparisons(task)
        sides = measured(HEAD, task, range(lost), splits=splits), measured(ONE, task, range(40, 60, 2), splits=splits)
        found = known.estimate(*sides)
        if found.answer == "cannot tell":
            chance = chance_of_settling(found, splits=20, folds=task.folds)
            assert known.is_open(*sides) == (chance >= 0.05)
            seen.add(known.is_open(*sides))
        else:
            assert not known.is_open(*sides)

    assert FUTILE == 0.05
    assert seen == {True, False}


def test_with_a_single_common_split_a_step_is_open(
    make_rows: MakeTask, measured: Measure, comparisons: Compare
) -> None:
    """It says nothing of training sets, and so nothing of what more splits would do; after twenty nothing is open."""
    task = make_rows(100)
    known = comparisons(task)
    wrong = range(0, 100, 20), range(5, 100, 25)

    assert known.is_open(measured(HEAD, task, wrong[0]), measured(ONE, task, wrong[1], splits=1))
    sides = [measured(one, task, rows, splits=20) for one, rows in zip((HEAD, ONE), wrong, strict=True)]
    assert known.estimate(*sides).answer == "cannot tell"
    assert not known.is_open(*sides)


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
    """Ten rows are wrong in one of the two strategies alone: tested once each, on ten predictions they disagree."""
    task = make_rows(100)
    step = comparisons(task).compare(measured(HEAD, task, range(10), splits=7), measured(ONE, task, splits=5))

    assert (step.first, step.second, step.splits) == (HEAD, ONE, 5)
    assert (step.predictions, step.disagreements) == (100, 10)
    assert step.difference == pytest.approx(0.1)


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


def test_the_mean_score_is_that_of_the_images(make_rows: MakeTask, measured: Measure, comparisons: Compare) -> None:
    """With 37 of 100 images wrong it is 63 % after whole rounds, and after three folds that of what they tested."""
    task = make_rows(100)
    tested = np.concatenate([task.split(number).test for number in range(3)])

    for splits, right in ((5, 0.63), (10, 0.63), (3, np.mean(tested >= 37))):
        found = comparisons(task).mean_score(measured(HEAD, task, range(37), splits=splits))
        assert found == pytest.approx(right)
    assert comparisons(task, "log-loss").mean_score(measured(HEAD, task, sure=0.9)) == pytest.approx(np.log(0.9))
