"""What is kept of a strategy's fits, and what its scores are: plain data and pure functions, without any network."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int
from scipy.special import log_softmax, softmax

from unfreeze.core.records import Confirmation, Interval, Outcome
from unfreeze.core.seeding import derive_seed
from unfreeze.core.settings import Metric
from unfreeze.core.strategies import StrategyId
from unfreeze.core.trials import TrialOutcome
from unfreeze.data.tasks import Split, Task
from unfreeze.metrics.accuracy import accuracy, balanced_accuracy, log_loss
from unfreeze.metrics.intervals import accuracy_interval
from unfreeze.metrics.repeated import (
    FOLDS,
    Tested,
    class_weights,
    compare_folds,
    mean_score,
    outcome_values,
)

DECIMALS = 5  # of log-likelihoods and scores that are kept
MOST_SCORES = 2**20  # of one split: beyond 1,000 classes and 1,000 images, say, memory has better uses


@dataclass(frozen=True, eq=False, kw_only=True)
class Predicted:
    """What is kept of a fit.

    Attributes:
        split: Where.
        predictions: Class index of every test row.
        log_likelihoods: Log of the probability of each row's own class, nats; None for an SVM.
        scores: Logits of each test row, for the temperature; None for an SVM, beyond the first round of splits, and
            where there are too many.
        temperature: By what held-out rows of the learning side say that they should be divided.
    """

    split: Split
    predictions: Int[np.ndarray, " row"]
    log_likelihoods: Float[np.ndarray, " row"] | None
    scores: Float[np.ndarray, "row cls"] | None = None
    temperature: float = 1.0

    def values(self, metric: Metric, task: Task) -> Float[np.ndarray, " row"]:
        """A value per test row, larger being better (see `outcome_values`); of an SVM the log-loss is infinite."""
        labels = task.labels[self.split.test]
        if metric != "log-loss":
            return outcome_values(metric, labels, predictions=self.predictions)
        return np.full(len(labels), -np.inf) if self.log_likelihoods is None else self.log_likelihoods

    def weighted(self, metric: Metric, task: Task) -> Float[np.ndarray, " row"]:
        """The same such that their mean over all rows of the train part is the metric: with weights of the classes."""
        weights = np.ones(len(task.labels))
        if metric == "balanced accuracy":
            weights[task.train_rows] = class_weights(task.labels[task.train_rows])
        weighted: Float[np.ndarray, " row"] = self.values(metric, task) * weights[self.split.test]
        return weighted


@dataclass(frozen=True, eq=False)
class Measured:
    """A strategy and what it gave so far.

    Attributes:
        outcome: Its record, without what is made of `predicted`.
        predicted: What is kept of each split, always the first ones, in their order.
    """

    outcome: Outcome
    predicted: tuple[Predicted, ...] = ()

    @property
    def strategy(self) -> StrategyId:
        """Which; unique in its run."""
        return self.outcome.strategy

    @property
    def splits(self) -> int:
        """On how many it was measured."""
        return len(self.predicted)

    @cached_property
    def seconds_a_split(self) -> float:
        """Mean wall time of a split; 0 before the first."""
        seconds = self.outcome.cost.split_seconds
        return sum(seconds) / len(seconds) if seconds else 0.0

    def score(self, metric: Metric, task: Task) -> float:
        """A metric over all images that its splits tested, larger being better."""
        return mean_score([p.values(metric, task) for p in self.predicted], self.tested(metric, task))

    def tested(self, metric: Metric, task: Task) -> Tested:
        """What its splits tested."""
        return task.tested([p.split for p in self.predicted], metric)

    def record(self, task: Task) -> Outcome:
        """The outcome with what was measured."""
        if not self.predicted:
            return self.outcome
        kept = [p.log_likelihoods for p in self.predicted if p.log_likelihoods is not None]
        return replace(
            self.outcome,
            splits=self.splits,
            accuracy=self.score("accuracy", task),
            interval=accuracy_over_splits(self.predicted, task),
            balanced_accuracy=self.score("balanced accuracy", task),
            log_loss=-self.score("log-loss", task) if kept else None,
            predictions=tuple(tuple(p.predictions.tolist()) for p in self.predicted),
            log_likelihoods=tuple(tuple(one.round(DECIMALS).tolist()) for one in kept),
        )


def well_measured(measured: Sequence[Measured]) -> list[Measured]:
    """Those with a whole round of splits, or as many as any of them has: what may be compared by its mean."""
    enough = min(FOLDS, max((m.splits for m in measured), default=0))
    return [m for m in measured if m.splits >= enough]


def predicted_of(
    scores: Float[np.ndarray, "row cls"], task: Task, split: Split, *, probabilities: bool = True
) -> Predicted:
    """What is kept of a fit: predictions and the log-likelihoods of the true classes.

    Args:
        scores: Of the split's test rows: logits, or an SVM's margins.
        task: Labels.
        split: Where.
        probabilities: The scores are logits.

    Returns:
        The predictions.
    """
    likelihoods = log_likelihoods(scores, task.labels[split.test]) if probabilities else None
    kept = probabilities and task.in_first_round(split) and scores.size <= MOST_SCORES
    return Predicted(
        split=split,
        predictions=scores.argmax(axis=1),
        log_likelihoods=likelihoods,
        scores=scores.astype(np.float64).round(DECIMALS) if kept else None,
    )


def predicted_in(found: TrialOutcome, split: Split) -> Predicted:
    """What is kept of a trial on a split."""
    likelihoods = None if found.log_likelihoods is None else np.array(found.log_likelihoods, np.float64)
    scores = None if found.scores is None else np.array(found.scores, np.float32)
    predictions = np.array(found.predictions, np.int64)
    return Predicted(
        split=split,
        predictions=predictions,
        log_likelihoods=likelihoods,
        scores=scores,
        temperature=found.temperature,
    )


def log_likelihoods(scores: Float[np.ndarray, "row cls"], labels: Int[np.ndarray, " row"]) -> Float[np.ndarray, " row"]:
    """Log of the probability of each row's own class, nats."""
    every = log_softmax(scores.astype(np.float64), axis=1)
    # as scikit-learn's log-loss: one confident mistake costs 36 nats, not everything
    kept: Float[np.ndarray, " row"] = np.maximum(
        every[np.arange(len(labels)), labels], np.log(np.finfo(np.float64).eps)
    )
    return kept


def accuracy_over_splits(measured: Sequence[Predicted], task: Task) -> Interval | None:
    """95 % interval of the expected accuracy at the training size of a split; None below two splits."""
    if len(measured) < 2:
        return None
    right = [p.values("accuracy", task) for p in measured]
    tested = task.tested([p.split for p in measured], "accuracy")
    found = compare_folds([np.zeros_like(one) for one in right], right, tested, margin=0.0).interval
    return Interval(max(0.0, found.low), min(1.0, found.high)) if found else None


def confirmation_of(
    scores: Float[np.ndarray, "row cls"], task: Task, *, probabilities: bool, seed: int
) -> Confirmation | None:
    """What a model trained on everything reaches on the user's own test folder; None without one.

    Args:
        scores: Of the test folder's rows.
        task: Labels and groups.
        probabilities: The scores are logits.
        seed: Of the interval's resampling.

    Returns:
        The confirmation.
    """
    rows = task.test_rows
    if not len(rows):
        return None
    labels, predictions = task.labels[rows], scores.argmax(axis=1)
    groups = [task.groups[row] for row in rows]
    return Confirmation(
        accuracy=accuracy(labels, predictions),
        interval=accuracy_interval(
            predictions == labels, groups if any(groups) else None, seed=derive_seed(seed, "interval")
        ),
        balanced_accuracy=balanced_accuracy(labels, predictions),
        log_loss=log_loss(labels, softmax(scores.astype(np.float64), axis=1)) if probabilities else None,
        predictions=tuple(predictions.tolist()),
        log_likelihoods=tuple(log_likelihoods(scores, labels).round(DECIMALS).tolist()) if probabilities else (),
    )
