"""The user's own test folder, asked about trained models."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from unfreeze.advisor.questions import Question
from unfreeze.core.records import Confirmation, Interval, Outcome
from unfreeze.core.settings import Metric
from unfreeze.core.strategies import HEAD, SOFTMAX_ON_LAST, StrategyId, unfreeze
from unfreeze.data.tasks import Task
from unfreeze.workflows.confirmation import earlier_looks, folder_step

MakeTask = Callable[..., Task]
WHOLE = Interval(0.0, 1.0)
TWO = unfreeze(2)


def confirmed(task: Task, wrong: range, *, log_likelihoods: tuple[float, ...] = ()) -> Confirmation:
    """Wrong on some of the folder's images."""
    labels = task.labels[task.test_rows]
    said = np.where(np.isin(np.arange(len(labels)), list(wrong)), 1 - labels, labels)
    return Confirmation(
        accuracy=float(np.mean(said == labels)),
        interval=WHOLE,
        balanced_accuracy=0.0,
        log_loss=None,
        predictions=tuple(said.tolist()),
        log_likelihoods=log_likelihoods,
    )


def outcome(strategy: StrategyId, found: Confirmation | None) -> Outcome:
    """A trained strategy."""
    return Outcome(strategy=strategy, description="", confirmation=found)


def question(task: Task, metric: Metric = "accuracy") -> Question:
    """About the folder."""
    return Question(task=task, metric=metric, margin=0.01, seed=0)


def test_the_difference_on_the_folder_is_the_mean_over_seeds(make_rows: MakeTask) -> None:
    """20 wrong of 100 against 10, 6 and 8 wrong: the mean gain is 12 images in a hundred."""
    task = make_rows(40, 100)
    seeds = [confirmed(task, range(count)) for count in (10, 6, 8)]
    step = folder_step(
        question(task), outcome(SOFTMAX_ON_LAST, confirmed(task, range(20))), outcome(TWO, seeds[0]), seeds[1:]
    )

    assert step is not None
    assert (step.first, step.second, step.seeds) == (SOFTMAX_ON_LAST, TWO, 3)
    assert step.difference == pytest.approx(0.12)
    assert step.interval.low < 0.12 < step.interval.high


def test_seeds_that_differ_widen_the_interval(make_rows: MakeTask) -> None:
    """With the same mean over seeds, seeds that disagree with each other leave more doubt than seeds that agree."""
    task = make_rows(40, 100)
    probe = outcome(SOFTMAX_ON_LAST, confirmed(task, range(20)))
    alike, unlike = (
        folder_step(question(task), probe, outcome(TWO, confirmed(task, range(first))), [confirmed(task, rest)])
        for first, rest in ((10, range(10)), (2, range(18)))
    )

    assert alike is not None
    assert unlike is not None
    assert unlike.interval.high - unlike.interval.low > alike.interval.high - alike.interval.low


def test_what_was_not_asked_about_the_folder_is_not_compared(make_rows: MakeTask) -> None:
    """No step without an answer of both, with itself, or where an SVM should have a log-loss."""
    task = make_rows(40, 10)
    probe = outcome(SOFTMAX_ON_LAST, confirmed(task, range(2)))

    assert folder_step(question(task), probe, outcome(TWO, None), []) is None
    assert folder_step(question(task), probe, probe, []) is None
    assert folder_step(question(task, "log-loss"), probe, outcome(TWO, probe.confirmation), []) is None


def test_log_loss_is_compared_by_the_likelihoods(make_rows: MakeTask) -> None:
    """A mean log-likelihood of -0.2 against -0.5 is a gain of 0.3 nats."""
    task = make_rows(40, 10)
    worse = confirmed(task, range(2), log_likelihoods=(-0.5,) * 10)
    better = confirmed(task, range(2), log_likelihoods=(-0.2,) * 10)
    step = folder_step(question(task, "log-loss"), outcome(SOFTMAX_ON_LAST, worse), outcome(TWO, better), [])

    assert step is not None
    assert step.difference == pytest.approx(0.3)


@pytest.mark.parametrize(("images", "confirmation", "looks"), [(["a"], {}, 1), (["a"], None, 0), (["b"], {}, 0)])
def test_a_look_is_a_run_that_confirmed_on_the_same_images(
    tmp_path: Path, images: list[str], confirmation: dict[str, str] | None, looks: int
) -> None:
    """A run that was interrupted before it asked the test folder has not looked at it."""
    earlier = tmp_path / "earlier" / "run.json"
    earlier.parent.mkdir()
    earlier.write_text(json.dumps({"test_images": images, "strategies": [{"confirmation": confirmation}]}))

    assert earlier_looks(tmp_path / "this", ["a"]) == looks


@pytest.mark.parametrize(("strategy", "differ"), [(TWO, True), (HEAD, False)])
def test_only_what_trains_blocks_differs_from_seed_to_seed(
    make_rows: MakeTask, strategy: StrategyId, differ: bool
) -> None:
    """A step on the folder says that another seed gives another model for blocks, and not for the head."""
    task = make_rows(40, 10)
    probe, delivered = outcome(SOFTMAX_ON_LAST, confirmed(task, range(2))), outcome(strategy, confirmed(task, range(1)))
    step = folder_step(question(task), probe, delivered, [])

    assert step is not None
    assert (step.seeds, step.seeds_differ) == (1, differ)


def test_the_run_itself_and_damaged_files_are_no_earlier_looks(tmp_path: Path) -> None:
    """A run does not count itself, and a file beside it that is no record of a run is passed over."""
    looked = json.dumps({"test_images": ["a"], "strategies": [{"confirmation": {}}]})
    for name, text in (("this", looked), ("other", looked), ("broken", looked[:-5]), ("list", "[1]"), ("empty", "{}")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "run.json").write_text(text)

    assert earlier_looks(tmp_path / "this", ["a"]) == 1
