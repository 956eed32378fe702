"""Whether what was picked does any better than answering without a look at the image."""

from typing import Final

import numpy as np

from unfreeze.advisor.comparisons import interval_on_one_split
from unfreeze.advisor.questions import Question
from unfreeze.core.findings import Finding, finding
from unfreeze.core.records import Interval
from unfreeze.core.wording import capital, count, difference, difference_span, measured_score
from unfreeze.data.tasks import Split, Task
from unfreeze.metrics.imbalance import log_shares
from unfreeze.metrics.repeated import compare_folds, largest_outcome, mean_score
from unfreeze.strategies.predictions import Measured, Predicted

NO_BETTER: Final = "UF130"


def blind(task: Task, split: Split) -> Predicted:
    """What always naming the most frequent class gives on a split; as probabilities, how frequent each class is.

    Args:
        task: Labels.
        split: Its learning side says how frequent classes are; a class that is not in it counts as one image.

    Returns:
        The same answer for every test row; of equally frequent classes the first one.
    """
    learned, labels = task.labels[split.learn], task.labels[split.test]
    most = int(np.bincount(learned, minlength=task.class_count).argmax())
    return Predicted(
        split=split,
        predictions=np.full(len(labels), most, np.int64),
        log_likelihoods=log_shares(learned, task.class_count)[labels],
    )


def no_better_than_blind(picked: Measured, question: Question) -> Finding | None:
    """That a strategy is not shown to do better than always naming the most frequent class; None where it is.

    Both are compared on the same held-out images, by the metric that decides, with the 95 % interval of every step
    (`metrics.repeated.compare_folds`; of a single split the paired bootstrap). By balanced accuracy one class named
    always reaches one over the number of classes, by log-loss an answer that knows how frequent classes are counts.

    Args:
        picked: Measured on one split at least, and by the metric that decides.
        question: Metric and task.

    Returns:
        UF130, with both scores; None where the lower end of the interval is above 0.
    """
    task, metric = question.task, question.metric
    tested = picked.tested(metric, task)
    answers = [blind(task, one.split) for one in picked.predicted]
    before, after = ([one.values(metric, task) for one in side] for side in (answers, picked.predicted))
    largest = largest_outcome(metric, task.class_count)
    found = compare_folds(before, after, tested, margin=0.0, largest=largest)
    interval = found.interval or interval_on_one_split(answers[0], picked.predicted[0], question)
    if interval.low > 0:
        return None
    scores = [measured_score(mean_score(values, tested), metric) for values in (after, before)]
    return _finding(picked, question, scores, found.difference, interval)


def _finding(picked: Measured, question: Question, scores: list[str], gain: float, interval: Interval) -> Finding:
    task, metric = question.task, question.metric
    labels = task.labels[task.train_rows]
    name = task.image_set.classes[int(np.bincount(labels, minlength=task.class_count).argmax())]
    other = f"always answering {name!r}"
    if metric == "log-loss":
        other = "saying how frequent each class is, whatever the image"
    shown = "is no better than" if gain <= 0 else "is not shown to be better than"
    said = np.unique(np.concatenate([one.predictions for one in picked.predicted]))
    always = f" It answered {task.image_set.classes[int(said[0])]!r} to every image." if len(said) == 1 else ""
    reached, blindly = scores
    sentence = (
        f"{capital(picked.strategy.label)} {shown} {other}: {metric} {reached} against {blindly} on the same held-out "
        f"images ({difference(gain, metric)}, 95 % interval {difference_span(interval, metric)}, "
        f"{count(picked.splits, 'split')}).{always}"
    )
    return finding(NO_BETTER, sentence, "Do not rely on it: give more images, above all of rare classes, or more time.")
