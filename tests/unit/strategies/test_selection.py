"""Choosing a strategy on held-out rows of the train part."""

from pathlib import Path

import numpy as np
import pytest

from unfreeze.core.records import Outcome
from unfreeze.data.image_set import Image, ImageSet
from unfreeze.strategies.experiment import Task, make_task
from unfreeze.strategies.measuring import NOT_PREDICTED, Measured
from unfreeze.strategies.selection import select_strategy, standard_error
from unfreeze.zoo.backbones import Backbone, load_backbone

N = 200


@pytest.fixture(scope="module")
def network() -> Backbone:
    """Anything that counts as deliverable."""
    return load_backbone("resnet18", pretrained=False, size=32)


def image_set(splits: list[str], groups: list[str] | None = None) -> ImageSet:
    """Images of two classes in turn."""
    images = tuple(
        Image(
            path=Path(f"/{i}.png"),
            name=f"{i:04}",
            label="ab"[i % 2],
            sha256=f"{i}",
            width=9,
            height=9,
            mode="L",
            split=split,
            group=groups[i] if groups else "",
        )
        for i, split in enumerate(splits)
    )
    return ImageSet(root=Path("/"), images=images, skipped={})


@pytest.fixture
def task() -> Task:
    """Two hundred rows that train, twenty that report."""
    return make_task(image_set(["train"] * N + ["test"] * 20), seed=0)


def strategy(name: str, task: Task, right: int, network: Backbone | None, rows: int = N) -> Measured:
    """A strategy that is right on the first `right` of the held-out `rows`."""
    held_out = np.full(len(task.labels), NOT_PREDICTED)
    held_out[:rows] = np.where(np.arange(rows) < right, task.labels[:rows], 1 - task.labels[:rows])
    return Measured(Outcome(name=name, kind="head", trained=""), held_out, network)


def test_a_gain_within_one_standard_error_does_not_pay(task: Task, network: Backbone) -> None:
    """Six images gained and four lost are two more, with a standard error of about three: the cheaper one stays."""
    dear = strategy("dear", task, 186, network)
    dear.held_out[:4] = 1 - task.labels[:4]
    candidates = [strategy("cheap", task, 180, network), dear]

    assert select_strategy(candidates, task).picked.outcome.name == "cheap"


def test_a_clear_gain_is_taken(task: Task, network: Backbone) -> None:
    """Twenty more images right of two hundred are far beyond one standard error."""
    candidates = [strategy("cheap", task, 160, network), strategy("dear", task, 180, network)]

    assert select_strategy(candidates, task).picked.outcome.name == "dear"


def test_strategies_are_compared_on_rows_that_all_of_them_predicted(task: Task, network: Backbone) -> None:
    """A strategy with one fold is not compared with another one's luck on five."""
    candidates = [strategy("five folds", task, 100, network), strategy("one fold", task, 40, network, rows=40)]
    selection = select_strategy(candidates, task)

    assert selection.accuracies == {"five folds": 1.0, "one fold": 1.0}


def test_what_cannot_be_delivered_is_never_picked(task: Task, network: Backbone) -> None:
    """A probe on a cut-off network is reported, not picked."""
    candidates = [strategy("tap", task, 200, None), strategy("last codes", task, 100, network)]

    assert select_strategy(candidates, task).picked.outcome.name == "last codes"
    assert select_strategy(candidates[:1], task) is None


def test_the_standard_error_is_that_of_a_mean_of_paired_differences(rng: np.random.Generator) -> None:
    """Without groups it is the population standard deviation of the differences over the root of their number."""
    first, second = rng.random(300) < 0.8, rng.random(300) < 0.7
    difference = first.astype(float) - second

    assert standard_error(first, second, [""] * 300) == pytest.approx(difference.std() / np.sqrt(300))


def test_repeating_images_inside_their_groups_leaves_the_standard_error(rng: np.random.Generator) -> None:
    """Copies of an image in its own group are no new evidence."""
    first, second = rng.random(60) < 0.8, rng.random(60) < 0.7
    groups = [str(i) for i in range(60)]
    once = standard_error(first, second, groups)

    assert standard_error(np.tile(first, 3), np.tile(second, 3), groups * 3) == pytest.approx(once)


def test_a_val_part_selects_and_the_final_training_uses_it() -> None:
    """With train, val and test given there is one fold, and only test is kept from the final training."""
    task = make_task(image_set(["train"] * 30 + ["val"] * 10 + ["test"] * 10), seed=0)
    ((learn, select),) = task.folds

    assert list(learn) == list(range(30))
    assert list(select) == list(range(30, 40))
    assert list(task.train_rows) == list(range(40))


def test_folds_keep_groups_together() -> None:
    """No group is on both sides of a fold."""
    groups = [f"g{i // 4}" for i in range(100)]
    task = make_task(image_set(["train"] * 100, groups), seed=0)
    for learn, select in task.folds:
        assert not {groups[r] for r in learn} & {groups[r] for r in select}
