"""Which metric decides."""

import numpy as np

from unfreeze.core.settings import Metric
from unfreeze.data.tasks import Task
from unfreeze.metrics.imbalance import strongly_imbalanced


def metric_for(task: Task, asked: Metric | None) -> tuple[Metric, str]:
    """The metric that decides, and why in a sentence.

    Args:
        task: Its training labels.
        asked: What the user wants; None to go by the classes.

    Returns:
        The metric and the sentence.
    """
    if asked is not None:
        return asked, f"{asked.capitalize()} decides, as asked."
    labels = task.labels[task.train_rows]
    if strongly_imbalanced(labels):
        counts = np.bincount(labels, minlength=task.class_count)
        why = f"the largest class has {counts.max():,} images and the smallest {counts.min():,}"
        return "balanced accuracy", f"Balanced accuracy decides, because {why}."
    return "accuracy", "Accuracy decides: the classes are not strongly imbalanced."
