"""Which metric decides."""

from collections.abc import Callable

import pytest

from unfreeze.advisor.metric_choice import metric_for
from unfreeze.core.settings import Metric
from unfreeze.data.tasks import Task

TaskOf = Callable[..., Task]


@pytest.mark.parametrize("asked", ["accuracy", "balanced accuracy", "log-loss"])
@pytest.mark.parametrize("train", [{"a": 60, "b": 60}, {"a": 600, "b": 6}])
def test_what_was_asked_for_decides(task_of: TaskOf, asked: Metric, train: dict[str, int]) -> None:
    """However the classes are, the user's metric is taken, and the sentence says that it was asked for."""
    metric, because = metric_for(task_of(train), asked)

    assert metric == asked
    assert because == f"{asked[0].upper()}{asked[1:]} decides, as asked."


def test_strongly_imbalanced_classes_are_balanced(task_of: TaskOf) -> None:
    """Where one class has a hundred times as many images all classes count the same, and both counts are named."""
    assert metric_for(task_of({"common": 1200, "rare": 12}), None) == (
        "balanced accuracy",
        "Balanced accuracy decides, because the largest class has 1,200 of 1,212 images and the smallest 12.",
    )


def test_about_equal_classes_are_decided_by_accuracy(task_of: TaskOf) -> None:
    """Three to two is no strong imbalance."""
    metric, because = metric_for(task_of({"a": 60, "b": 40}), None)

    assert metric == "accuracy"
    assert "not strongly imbalanced" in because


def test_stray_images_are_named_where_they_are_passed_over(task_of: TaskOf) -> None:
    """Three images beside two equal classes leave accuracy, and the sentence does not call the three classes alike."""
    metric, because = metric_for(task_of({"a": 60, "b": 60, "stray": 3}), None)

    assert metric == "accuracy"
    assert because.endswith("not strongly imbalanced, apart from those with fewer than 5 images.")


def test_the_test_part_has_no_say_in_the_metric(task_of: TaskOf) -> None:
    """An imbalanced test part leaves accuracy, and a balanced one does not hide that training classes are unequal."""
    assert metric_for(task_of({"a": 60, "b": 60}, {"a": 900}), None)[0] == "accuracy"
    assert metric_for(task_of({"a": 900, "b": 20}, {"b": 880}), None)[0] == "balanced accuracy"
