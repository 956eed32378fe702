"""Which metric decides."""

from pathlib import Path

import pytest

from unfreeze.advisor.metric_choice import metric_for
from unfreeze.core.settings import Metric
from unfreeze.data.image_set import Image, ImageSet
from unfreeze.data.tasks import Task, make_task


def task_of(train: dict[str, int], test: dict[str, int] | None = None) -> Task:
    """So many images of each class to learn from, and in a test part."""
    labelled = [
        (label, part)
        for counts, part in ((train, "train"), (test or {}, "test"))
        for label, count in counts.items()
        for _ in range(count)
    ]
    images = tuple(
        Image(
            path=Path(f"/{number}.png"),
            name=f"{number:04}",
            label=label,
            sha256=f"{number}",
            width=9,
            height=9,
            mode="L",
            split=part,
        )
        for number, (label, part) in enumerate(labelled)
    )
    return make_task(ImageSet(root=Path("/"), images=images), seed=0)


@pytest.mark.parametrize("asked", ["accuracy", "balanced accuracy", "log-loss"])
@pytest.mark.parametrize("train", [{"a": 60, "b": 60}, {"a": 600, "b": 6}])
def test_what_was_asked_for_decides(asked: Metric, train: dict[str, int]) -> None:
    """However the classes are, the user's metric is taken, and the sentence says that it was asked for."""
    metric, because = metric_for(task_of(train), asked)

    assert metric == asked
    assert because == f"{asked[0].upper()}{asked[1:]} decides, as asked."


def test_strongly_imbalanced_classes_are_balanced() -> None:
    """Where one class has a hundred times as many images all classes count the same, and both counts are named."""
    assert metric_for(task_of({"common": 1200, "rare": 12}), None) == (
        "balanced accuracy",
        "Balanced accuracy decides, because the largest class has 1,200 images and the smallest 12.",
    )


def test_about_equal_classes_are_decided_by_accuracy() -> None:
    """Three to two is no strong imbalance."""
    metric, because = metric_for(task_of({"a": 60, "b": 40}), None)

    assert metric == "accuracy"
    assert "not strongly imbalanced" in because


def test_the_test_part_has_no_say_in_the_metric() -> None:
    """An imbalanced test part leaves accuracy, and a balanced one does not hide that training classes are unequal."""
    assert metric_for(task_of({"a": 60, "b": 60}, {"a": 900}), None)[0] == "accuracy"
    assert metric_for(task_of({"a": 900, "b": 20}, {"b": 880}), None)[0] == "balanced accuracy"
