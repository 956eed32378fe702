"""Steps between strategies whose predictions are known."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from unfreeze.advisor.comparisons import compare, estimate
from unfreeze.advisor.questions import Question
from unfreeze.advisor.selection import winner_of
from unfreeze.core.records import Outcome, Settling
from unfreeze.data.tasks import Task
from unfreeze.strategies.measurement import Measurement, Predicted

MakeTask = Callable[..., Task]


def measured(name: str, task: Task, wrong: Sequence[int] = (), *, splits: int = 5, sure: float = 0.9) -> Measurement:
    """A strategy that is wrong on the given rows, and gives each true class the probability `sure`."""
    found = []
    for split in map(task.split, range(splits)):
        truth = task.labels[split.test]
        said = np.where(np.isin(split.test, wrong), 1 - truth, truth)
        found.append(Predicted(split=split, predictions=said, log_likelihoods=np.full(len(said), np.log(sure))))
    return Measurement(None, Outcome(name=name, kind="head", trained=""), found)


def question(task: Task, metric: str = "accuracy") -> Question:
    """With a margin of one point."""
    return Question(task=task, metric=metric, margin=0.01, seed=0)  # type: ignore[arg-type]


def test_a_step_on_few_splits_asks_for_more_of_them(make_rows: MakeTask) -> None:
    """Below five common splits nothing is computed about what would settle it."""
    task = make_rows(100)
    step = compare(question(task), measured("first", task), measured("second", task, splits=3))

    assert (step.answer, step.settling) == ("cannot tell", Settling(kind="few"))


def test_what_was_dropped_is_not_said_to_be_settled_by_more_time(make_rows: MakeTask) -> None:
    """No budget repeats a strategy that was dropped."""
    task = make_rows(100)
    first, second = measured("first", task), measured("second", task, range(0, 100, 25))
    second.outcome = replace(second.outcome, status="dropped")

    assert compare(question(task), first, second).settling == Settling(kind="dropped")


@pytest.mark.parametrize(("metric", "largest"), [("accuracy", 1.0), ("balanced accuracy", 1.0)])
def test_identical_outcomes_on_one_split_leave_room_for_what_was_not_seen(
    make_rows: MakeTask, metric: str, largest: float
) -> None:
    """The rule of three over the twenty test images, whichever metric decides; two equal classes weigh as one image."""
    task = make_rows(100)
    step = compare(question(task, metric), measured("first", task, splits=1), measured("second", task, splits=1))

    assert step.interval.high == pytest.approx(3 * largest / 20, rel=0.11)
    assert step.interval.low == pytest.approx(-step.interval.high)


def test_tiny_classes_widen_an_interval_as_their_larger_test_parts_do(make_rows: MakeTask) -> None:
    """Of two images a class one trains and one tests, so splits overlap more than the usual fifth would make them."""
    task = make_rows(4)
    assert task.tested_share([task.split(0)]) == pytest.approx(0.5)

    found = estimate(question(task), measured("first", task, splits=20), measured("second", task, [0], splits=20))

    assert found.test_fraction == pytest.approx(0.5)


def test_the_best_log_loss_is_told_as_a_loss(make_rows: MakeTask) -> None:
    """Two classifiers that give the truth 0.9 and 0.8: the first wins, with -log 0.9 nats, and no luck is in it."""
    task = make_rows(100)
    winner = winner_of(question(task, "log-loss"), [measured("sure", task), measured("less", task, sure=0.8)])

    assert winner is not None
    assert (winner.name, winner.naive) == ("sure", pytest.approx(-np.log(0.9)))
    assert winner.corrected == pytest.approx(-np.log(0.9))
    assert winner.interval.low <= winner.corrected <= winner.interval.high


def test_one_group_that_all_splits_test_on_has_no_winner(make_rows: MakeTask) -> None:
    """How much of a best score is luck is found by drawing groups, of which there must be two."""
    task = make_rows(30, groups=[str(row // 10) for row in range(30)])
    assert len(np.unique(task.units[task.split(0).test])) == 1

    assert winner_of(question(task), [measured("one", task, splits=1), measured("two", task, [0], splits=1)]) is None
