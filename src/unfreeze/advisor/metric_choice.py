"""Which metric decides."""

import numpy as np

from unfreeze.core.settings import Metric
from unfreeze.data.tasks import Task
from unfreeze.metrics.imbalance import TINY, strongly_imbalanced


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
    counts = np.bincount(labels, minlength=task.class_count)
    largest, smallest = counts.max(), counts.min()
    if strongly_imbalanced(labels):
        why = f"the largest class has {largest:,} of {len(labels):,} images and the smallest {smallest:,}"
        return "balanced accuracy", f"Balanced accuracy decides, because {why}."
    apart = f", apart from those with fewer than {TINY} images" if smallest < TINY else ""
    return "accuracy", f"Accuracy decides: the classes are not strongly imbalanced{apart}."
