"""What a strategy answers class by class."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from unfreeze.advisor.class_answers import class_table
from unfreeze.core.strategies import HEAD
from unfreeze.data.tasks import Task
from unfreeze.strategies.predictions import Measured

TaskOf = Callable[..., Task]
Measure = Callable[..., Measured]
WRONG = [3, 17, 18, 31, 44]


def test_every_image_counts_once(task_of: TaskOf, measured: Measure) -> None:
    """As scikit-learn counts the answers of one round of splits; a second round that is all wrong changes nothing."""
    task = task_of({"ants": 30, "bees": 25})
    one = measured(HEAD, task, WRONG)
    worse = [
        replace(p, split=task.split(5 + number), predictions=1 - task.labels[task.split(5 + number).test])
        for number, p in enumerate(one.predicted)
    ]
    answers = np.where(np.isin(np.arange(55), WRONG), 1 - task.labels, task.labels)

    table = class_table(Measured(one.outcome, (*one.predicted, *worse)), task)

    assert table.predictions == tuple(answers.tolist())
    assert np.array_equal(table.confusion, confusion_matrix(task.labels, answers))
    precision, recall, f1, images = precision_recall_fscore_support(task.labels, answers)
    assert [row.images for row in table.classes] == images.tolist()
    assert [row.precision for row in table.classes] == pytest.approx(precision)
    assert [row.recall for row in table.classes] == pytest.approx(recall)
    assert [row.f1 for row in table.classes] == pytest.approx(f1)


def test_what_no_split_tested_has_no_answer(task_of: TaskOf, measured: Measure) -> None:
    """After one split there are answers to its test rows alone."""
    task = task_of({"ants": 30, "bees": 25})

    table = class_table(measured(HEAD, task, WRONG, splits=1), task)

    known = [row for row, answer in enumerate(table.predictions) if answer is not None]
    assert known == task.split(0).test.tolist()
    assert sum(map(sum, table.confusion)) == len(known)
