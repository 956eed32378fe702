"""Strategies whose predictions are known."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from unfreeze.advisor.comparisons import Comparisons
from unfreeze.advisor.questions import Question
from unfreeze.core.records import Outcome
from unfreeze.core.settings import Metric
from unfreeze.core.strategies import StrategyId
from unfreeze.data.image_set import Image, ImageSet
from unfreeze.data.tasks import Task, make_task
from unfreeze.strategies.predictions import Measured, Predicted

Measure = Callable[..., Measured]
Compare = Callable[..., Comparisons]


@pytest.fixture
def task_of() -> Callable[..., Task]:
    """Makes a task of so many images of each class to learn from, and in a test part."""

    def build(train: dict[str, int], test: dict[str, int] | None = None) -> Task:
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

    return build


@pytest.fixture
def measured() -> Measure:
    """Makes a strategy that is wrong on the given rows, right on all others, and as sure of itself everywhere."""

    def build(
        strategy: StrategyId,
        task: Task,
        wrong: Sequence[int] = (),
        *,
        splits: int = 5,
        sure: float = 0.9,
        probabilities: bool = True,
        **other: Any,
    ) -> Measured:
        found = []
        for split in map(task.split, range(splits)):
            truth = task.labels[split.test]
            said = np.where(np.isin(split.test, wrong), 1 - truth, truth)
            likelihoods = np.log(np.where(said == truth, sure, 1 - sure)) if probabilities else None
            found.append(Predicted(split=split, predictions=said, log_likelihoods=likelihoods))
        return Measured(Outcome(strategy=strategy, description="", **other), tuple(found))

    return build


@pytest.fixture
def comparisons() -> Compare:
    """Makes comparisons by a metric, with a margin of one point where none is given."""

    def build(task: Task, metric: Metric = "accuracy", *, margin: float = 0.01) -> Comparisons:
        return Comparisons(Question(task=task, metric=metric, margin=margin, seed=0))

    return build
