"""From scores on the test part to an outcome with its interval."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from scipy.special import softmax

from unfreeze.core.records import Outcome
from unfreeze.core.seeding import derive_seed
from unfreeze.metrics.accuracy import accuracy, balanced_accuracy, log_loss
from unfreeze.metrics.intervals import accuracy_interval
from unfreeze.strategies.experiment import Task
from unfreeze.zoo.backbones import Backbone

NOT_PREDICTED = -1


@dataclass(frozen=True, eq=False)
class Measured:
    """A strategy that was run.

    Attributes:
        outcome: What goes into the record.
        held_out: Predicted class of every row that a fold of the train part held out, NOT_PREDICTED elsewhere.
        backbone: The network to deliver, trained on the whole train part; None if timm could not load it.
        heads: Weight and bias of the head for every fold, for a step that starts from this one.
    """

    outcome: Outcome
    held_out: Int[np.ndarray, " image"]
    backbone: Backbone | None
    heads: tuple[Backbone, ...] = ()


def nothing_held_out(task: Task) -> Int[np.ndarray, " image"]:
    """Predictions for no row at all, to be filled fold by fold."""
    return np.full(len(task.labels), NOT_PREDICTED, dtype=np.int64)


def with_test_scores(
    outcome: Outcome, scores: Float[np.ndarray, "row cls"], task: Task, *, seed: int, probabilities: bool = True
) -> Outcome:
    """`outcome` with what its `scores` on the test part are worth.

    Args:
        outcome: Anything but the measurements.
        scores: Of every test row.
        task: Labels and groups.
        seed: Of the bootstrap over groups.
        probabilities: The scores are logits of a softmax.

    Returns:
        The outcome with accuracy, interval, balanced accuracy, log-loss and predictions; as it was without a test part.
    """
    if not len(task.test_rows):
        return outcome
    labels = task.labels[task.test_rows]
    predictions = scores.argmax(axis=1)
    correct = predictions == labels
    measured: dict[str, Any] = {
        "accuracy": accuracy(labels, predictions),
        "interval": accuracy_interval(correct, groups_of_test(task), seed=derive_seed(seed, "interval")),
        "balanced_accuracy": balanced_accuracy(labels, predictions),
        "log_loss": log_loss(labels, softmax(scores.astype(np.float64), axis=1)) if probabilities else None,
        "predictions": tuple(int(p) for p in predictions),
    }
    return replace(outcome, **measured)


def groups_of_test(task: Task) -> list[str] | None:
    """Groups of the test rows, or None if no image has one."""
    groups = [task.groups[row] for row in task.test_rows]
    return groups if any(groups) else None
