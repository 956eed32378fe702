"""Strategies whose predictions are known."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from unfreeze.advisor.comparisons import Comparisons
from unfreeze.advisor.questions import Question
from unfreeze.core.records import Outcome
from unfreeze.core.settings import Metric
from unfreeze.core.strategies import StrategyId
from unfreeze.data.tasks import Task
from unfreeze.strategies.predictions import Measured, Predicted

Measure = Callable[..., Measured]
Compare = Callable[..., Comparisons]


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
