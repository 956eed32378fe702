"""The user's own test folder, asked about trained models."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from unfreeze.advisor.questions import Question
from unfreeze.core.records import Confirmation, Interval, Outcome
from unfreeze.core.settings import Metric
from unfreeze.data.tasks import Task
from unfreeze.workflows.confirmation import earlier_looks, folder_step

MakeTask = Callable[..., Task]
WHOLE = Interval(0.0, 1.0)


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


def outcome(name: str, found: Confirmation | None) -> Outcome:
    """A trained strategy."""
    return Outcome(name=name, kind="head", trained="", confirmation=found)


def question(task: Task, metric: Metric = "accuracy") -> Question:
    """About the folder."""
    return Question(task=task, metric=metric, margin=0.01, seed=0)


def test_the_difference_on_the_folder_is_the_mean_over_seeds(make_rows: MakeTask) -> None:
    """20 wrong of 100 against 10, 6 and 8 wrong: the mean gain is 12 images in a hundred."""
    task = make_rows(40, 100)
    seeds = [confirmed(task, range(count)) for count in (10, 6, 8)]
    step = folder_step(
        question(task), outcome("probe", confirmed(task, range(20))), outcome("deep", seeds[0]), seeds[1:]
    )

    assert step is not None
    assert (step.first, step.second, step.seeds) == ("probe", "deep", 3)
    assert step.difference == pytest.approx(0.12)
    assert step.interval.low < 0.12 < step.interval.high


def test_seeds_that_differ_widen_the_interval(make_rows: MakeTask) -> None:
    """With the same mean over seeds, seeds that disagree with each other leave more doubt than seeds that agree."""
    task = make_rows(40, 100)
    probe = outcome("probe", confirmed(task, range(20)))
    alike, unlike = (
        folder_step(question(task), probe, outcome("deep", confirmed(task, range(first))), [confirmed(task, rest)])
        for first, rest in ((10, range(10)), (2, range(18)))
    )

    assert alike is not None
    assert unlike is not None
    assert unlike.interval.high - unlike.interval.low > alike.interval.high - alike.interval.low


def test_what_was_not_asked_about_the_folder_is_not_compared(make_rows: MakeTask) -> None:
    """No step without an answer of both, with itself, or where an SVM should have a log-loss."""
    task = make_rows(40, 10)
    probe = outcome("probe", confirmed(task, range(2)))

    assert folder_step(question(task), probe, outcome("deep", None), []) is None
    assert folder_step(question(task), probe, probe, []) is None
    assert folder_step(question(task, "log-loss"), probe, outcome("deep", probe.confirmation), []) is None


def test_log_loss_is_compared_by_the_likelihoods(make_rows: MakeTask) -> None:
    """A mean log-likelihood of -0.2 against -0.5 is a gain of 0.3 nats."""
    task = make_rows(40, 10)
    worse = confirmed(task, range(2), log_likelihoods=(-0.5,) * 10)
    better = confirmed(task, range(2), log_likelihoods=(-0.2,) * 10)
    step = folder_step(question(task, "log-loss"), outcome("probe", worse), outcome("deep", better), [])

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
