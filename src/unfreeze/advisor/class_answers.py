"""What a strategy answers class by class on the images that it had not learned from."""

import numpy as np

from unfreeze.core.class_table import ClassTable
from unfreeze.core.seeding import derive_seed
from unfreeze.data.tasks import Task
from unfreeze.metrics.confusion import confusion, scores_by_class
from unfreeze.strategies.predictions import Measured


def class_table(measured: Measured, task: Task) -> ClassTable:
    """Confusion, precision, recall and F1, each image once: with what the first split that tested it gave.

    Later rounds test the same images by other trainings. Their votes together would be better than one model is, and
    counted apart they would make the intervals too narrow.

    Args:
        measured: The strategy.
        task: Labels, and groups: whole groups are independent draws where they are given.

    Returns:
        The table.
    """
    answers = np.full(len(task.labels), -1)
    for one in reversed(measured.predicted):
        answers[one.split.test] = one.predictions
    tested = np.flatnonzero(answers >= 0)
    labels, predictions = task.labels[tested], answers[tested]
    counts = confusion(labels, predictions, task.class_count)
    groups = [task.groups[row] for row in tested]
    seed = derive_seed(task.seed, "classes")
    return ClassTable(
        strategy=measured.strategy,
        predictions=tuple(None if answer < 0 else answer for answer in answers[task.train_rows].tolist()),
        confusion=tuple(map(tuple, counts.tolist())),
        classes=scores_by_class(labels, predictions, task.class_count, groups, seed=seed),
    )
