"""Steps from one strategy to another, measured on the splits that both of them ran on."""

from dataclasses import dataclass

import numpy as np

from unfreeze.core.records import Comparison, Interval, Metric, Settling
from unfreeze.core.seeding import derive_seed
from unfreeze.metrics.comparison import difference_over_seeds, paired_difference
from unfreeze.metrics.repeated import FEWEST_FOR_PROBABILITIES, LOOKS, StepEstimate, compare_splits, largest_difference
from unfreeze.metrics.settling import what_would_settle
from unfreeze.strategies.experiment import Task
from unfreeze.strategies.measuring import Measurement, units_of


@dataclass(frozen=True, eq=False, kw_only=True)
class Question:
    """What steps are measured by.

    Attributes:
        task: Labels, groups and splits.
        metric: What decides.
        margin: Differences up to this do not matter.
        seed: Of what is simulated.
    """

    task: Task
    metric: Metric
    margin: float
    seed: int


def estimate(question: Question, first: Measurement, second: Measurement) -> StepEstimate:
    """The difference on the common splits, its interval and its probabilities.

    Args:
        question: Metric and margin.
        first: What is compared against; measured, and with probabilities where log-loss decides.
        second: What is asked about.

    Returns:
        Second minus first.
    """
    task, common = question.task, min(first.splits, second.splits)
    ours, theirs = first.predicted[:common], second.predicted[:common]
    return compare_splits(
        [p.values(question.metric, task) for p in ours],
        [p.values(question.metric, task) for p in theirs],
        units=[units_of(task, p.split) for p in ours],
        test_fraction=task.tested_share([p.split for p in ours]),
        margin=question.margin,
        largest=_largest(question, first),
    )


def _largest(question: Question, measured: Measurement) -> float:
    return largest_difference(question.metric, question.task.labels[measured.predicted[0].split.test])


def comparable(question: Question, first: Measurement, second: Measurement) -> bool:
    """Whether both were measured, and by the metric that decides (an SVM has no log-loss)."""
    return all(m.splits and np.isfinite(mean_score(question, m)) for m in (first, second))


def mean_score(question: Question, measured: Measurement) -> float:
    """Mean over its splits of the metric that decides, larger being better."""
    return float(np.mean([p.values(question.metric, question.task).mean() for p in measured.predicted]))


def compare(question: Question, first: Measurement, second: Measurement) -> Comparison:
    """A step for the record, with what would settle it where it cannot be told.

    Args:
        question: Metric and margin.
        first: What is compared against.
        second: What is asked about.

    Returns:
        The comparison.
    """
    found = estimate(question, first, second)
    dropped = "dropped" in {first.outcome.status, second.outcome.status}
    pairs = list(zip(first.predicted[: found.splits], second.predicted[: found.splits], strict=True))
    return Comparison(
        first=first.name,
        second=second.name,
        difference=found.difference,
        interval=found.interval or _on_one_split(question, first, second),
        splits=found.splits,
        worse=found.worse,
        equivalent=found.equivalent,
        better=found.better,
        answer=found.answer,
        disagreements=sum(int((a.predictions != b.predictions).sum()) for a, b in pairs),
        predictions=sum(len(a.predictions) for a, _ in pairs),
        settling=_settling(question, found, dropped=dropped) if found.answer == "cannot tell" else None,
    )


def _on_one_split(question: Question, first: Measurement, second: Measurement) -> Interval:
    """Over the test images of the only split: the variance over training sets is not in it."""
    task, (ours, theirs) = question.task, (first.predicted[0], second.predicted[0])
    groups = [str(unit) for unit in units_of(task, ours.split)]
    seed = derive_seed(question.seed, "paired bootstrap")
    if question.metric == "accuracy":
        labels = task.labels[ours.split.test]
        return paired_difference(ours.predictions == labels, theirs.predictions == labels, groups, seed=seed)[1]
    before, after = (one.values(question.metric, task)[None] for one in (ours, theirs))
    return difference_over_seeds(before, after, groups, seed=seed, largest=_largest(question, first))[1]


def _settling(question: Question, found: StepEstimate, *, dropped: bool) -> Settling:
    """Splits where a larger budget would give them and they can, else images."""
    if dropped:
        return Settling(kind="dropped")
    if found.splits < FEWEST_FOR_PROBABILITIES:
        return Settling(kind="few")
    would = what_would_settle(
        found,
        images=len(question.task.train_rows),
        splits=LOOKS[-1],  # a study with more images is given the time for them
        seed=derive_seed(question.seed, "settling"),
    )
    if would.splits is not None:  # it is time that is missing, not images
        return Settling(kind="splits")
    if would.more_images_range is None:
        return Settling(kind="beyond")
    low, high = would.more_images_range
    return Settling(kind="images", low=low, high=high)
