"""Codes that say which labels and photos are doubtful."""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from unfreeze.advisor.photo_checks import apart_finding, judge_labels, label_finding, outlier_finding, regained
from unfreeze.data.tasks import Task
from unfreeze.workflows.clock import Clock
from unfreeze.workflows.photo_checks import check_photos, check_seconds

TaskOf = Callable[..., Task]


def clouds(task: Task, *, apart: float = 4.0) -> np.ndarray:
    """Codes of each class around a point of its own."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(task.class_count, 24)) * apart
    return (centres[task.labels] + rng.normal(size=(len(task.labels), 24))).astype(np.float32)


def mislabelled(task: Task, rows: np.ndarray) -> Task:
    """The task with other labels at some rows."""
    labels = task.labels.copy()
    labels[rows] = (labels[rows] + 1) % task.class_count
    return replace(task, labels=labels)


def test_labels_that_were_changed_are_found_and_leaving_them_out_helps(task_of: TaskOf) -> None:
    """Of three clouds with 12 labels changed, most are named and no other; a classifier without them is no worse."""
    task = task_of({"a": 80, "b": 80, "c": 80})
    codes, changed = clouds(task), np.arange(0, 240, 20)

    check, rows = judge_labels(mislabelled(task, changed), codes, [], classifiers=0)
    gain = regained(mislabelled(task, changed), codes, rows, seed=0)

    assert set(rows) <= set(changed)
    assert len(rows) >= 9  # by neighbours alone, of which another may be labelled wrong alike
    assert check.judged == 240
    assert all(one.called != one.given and one.probability < 0.05 for one in check.suspects)
    assert gain is not None
    assert gain.left_out == len(rows)
    assert gain.tested == 240 - len(rows)
    assert gain.after >= gain.before > 0.9


def test_right_labels_are_not_doubted(task_of: TaskOf) -> None:
    """Clouds with their own labels give no suspect and no finding."""
    task = task_of({"a": 60, "b": 60})

    check, rows = judge_labels(task, clouds(task), [], classifiers=0)

    assert not len(rows)
    assert label_finding(check) is None
    assert regained(task, clouds(task), rows, seed=0) is None


def test_a_test_folder_from_elsewhere_is_told_apart(task_of: TaskOf) -> None:
    """A shift of the test part's codes is found, with photos of the test part; without the shift nothing is."""
    task = task_of({"a": 80, "b": 80}, {"a": 40, "b": 40})
    codes = clouds(task)
    shifted = codes.copy()
    shifted[task.test_rows] += 0.8

    found = apart_finding(task, shifted, seed=0)

    assert found is not None
    assert found.code == "UF129"
    assert set(found.images) <= set(task.names(task.test_rows))
    assert apart_finding(task, codes, seed=0) is None
    assert apart_finding(task_of({"a": 80, "b": 80}), codes[:160], seed=0) is None


def test_photos_unlike_their_class_are_named_farthest_first(task_of: TaskOf) -> None:
    """Two images of noise among clouds are named, unless their labels are doubted already."""
    task = task_of({"a": 80, "b": 80})
    codes = clouds(task)
    codes[[5, 100]] = np.random.default_rng(1).normal(size=(2, 24)) * 9

    found = outlier_finding(task, codes, [], seed=0)

    assert found is not None
    assert set(found.images) == {"0005", "0100"}
    assert outlier_finding(task, codes, [5, 100], seed=0) is None


def test_without_time_nothing_is_asked_and_a_sentence_says_so(task_of: TaskOf) -> None:
    """What did not fit is named; with time there is no such sentence."""
    task = task_of({"a": 80, "b": 80}, {"a": 40, "b": 40})

    without = check_photos(task, clouds(task), [], classifiers=0, seed=0, seconds=0, clock=lambda: 0.0)
    whole = check_photos(task, clouds(task), [], classifiers=0, seed=0, seconds=math.inf)

    assert without.findings == ()
    assert without.labels is None
    assert without.note == (
        "There was no time to look for labels that look wrong, the test folder against the rest, photos unlike their "
        "class and shortcuts."
    )
    assert whole.note == ""
    assert whole.labels is not None


def test_looking_takes_at_most_a_twentieth_of_the_budget() -> None:
    """Of 1,000 seconds at most 50; with the budget used up a little, and without one a minute."""
    now = [0.0]
    clock = Clock(lambda: now[0], 1000.0)
    at_once = check_seconds(clock)
    now[0] = 1000.0

    assert at_once == 50.0
    assert check_seconds(clock) == 50.0  # of the reserve
    now[0] = 2000.0
    assert check_seconds(clock) == 20.0
    assert check_seconds(Clock(lambda: 0.0)) == 60.0
