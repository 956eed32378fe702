"""Steps from one strategy to another, measured on the splits that both of them ran on."""

from typing import final

import numpy as np
from jaxtyping import Float

from unfreeze.advisor.questions import Question, may_be_the_same
from unfreeze.core.records import Comparison, Interval, Settling
from unfreeze.core.seeding import derive_seed
from unfreeze.core.strategies import StrategyId
from unfreeze.metrics.comparison import difference_over_seeds, paired_difference
from unfreeze.metrics.repeated import (
    FEWEST_FOR_PROBABILITIES,
    FOLDS,
    LOOKS,
    StepEstimate,
    compare_folds,
    largest_difference,
    largest_outcome,
)
from unfreeze.metrics.settling import chance_of_settling, what_would_settle
from unfreeze.strategies.predictions import Measured, Predicted

FUTILE = 0.05  # more splits are worth nothing where they settle an answer with a probability below this


@final
class Comparisons:
    """Estimates of steps, each made once, whoever asks for it: the race, the choice, the rule of thumb, the record.

    Predictions of a split change only where a strategy is trained for longer, which `forget` is told; else an estimate
    holds for its two strategies and the number of splits that both of them have.

    Args:
        question: Metric, margin and task.
    """

    def __init__(self, question: Question) -> None:
        self.question = question
        self._estimates: dict[tuple[StrategyId, StrategyId, int, float], StepEstimate] = {}

    def estimate(self, first: Measured, second: Measured, *, margin: float | None = None) -> StepEstimate:
        """The difference on the common splits, its interval and its probabilities.

        Args:
            first: What is compared against; measured, and with probabilities where log-loss decides.
            second: What is asked about.
            margin: Instead of the question's.

        Returns:
            Second minus first.
        """
        margin = self.question.margin if margin is None else margin
        key = (first.strategy, second.strategy, min(first.splits, second.splits), margin)
        if key not in self._estimates:
            self._estimates[key] = self._estimated(first, second, margin)
        return self._estimates[key]

    def forget(self, strategy: StrategyId) -> None:
        """What was estimated of a strategy, whose predictions are others now."""
        self._estimates = {key: found for key, found in self._estimates.items() if strategy not in key[:2]}

    def _estimated(self, first: Measured, second: Measured, margin: float) -> StepEstimate:
        question, common = self.question, min(first.splits, second.splits)
        tested = first.tested(question.metric, question.task).part(0, common)
        return compare_folds(
            self._values(first)[:common],
            self._values(second)[:common],
            tested,
            margin=margin,
            largest=largest_outcome(question.metric, question.task.class_count),
        )

    def _values(self, measured: Measured) -> list[Float[np.ndarray, " row"]]:
        return [one.values(self.question.metric, self.question.task) for one in measured.predicted]

    def are_the_same(self, first: Measured, second: Measured) -> bool:
        """Whether two strategies turned out to be one: the same function by what they are, and by all they predict.

        By their probabilities too where those decide. A single split tells nothing of it, as of everything else.
        """
        common = list(zip(first.predicted, second.predicted, strict=False))
        if len(common) < FEWEST_FOR_PROBABILITIES or not may_be_the_same(first.strategy, second.strategy):
            return False
        metric, task = self.question.metric, self.question.task
        return all(
            np.array_equal(a.predictions, b.predictions)
            and np.array_equal(a.values(metric, task), b.values(metric, task))
            for a, b in common
        )

    def is_open(self, first: Measured, second: Measured) -> bool:
        """Whether a step cannot be told yet, though it is one, and more splits of these images may well tell it."""
        if self.are_the_same(first, second):
            return False
        found = self.estimate(first, second)
        if found.answer != "cannot tell":
            return False
        folds = self.question.task.folds
        few = found.splits < FEWEST_FOR_PROBABILITIES
        return few or chance_of_settling(found, splits=LOOKS[-1], folds=folds) >= FUTILE

    def has_metric(self, measured: Measured) -> bool:
        """Whether it was measured, and by the metric that decides (an SVM has no log-loss)."""
        return bool(measured.splits) and bool(np.isfinite(self.mean_score(measured)))

    def mean_score(self, measured: Measured) -> float:
        """The metric that decides, over all images that its splits tested, larger being better."""
        return measured.score(self.question.metric, self.question.task)

    def compare(self, first: Measured, second: Measured) -> Comparison:
        """A step for the record, with what would settle it where it cannot be told.

        Args:
            first: What is compared against.
            second: What is asked about.

        Returns:
            The comparison.
        """
        found = self.estimate(first, second)
        answer = "same" if self.are_the_same(first, second) else found.answer
        dropped = "dropped" in {first.outcome.status, second.outcome.status}
        common = list(zip(first.predicted[: found.splits], second.predicted[: found.splits], strict=True))
        return Comparison(
            first=first.strategy,
            second=second.strategy,
            difference=found.difference,
            interval=found.interval or interval_on_one_split(first.predicted[0], second.predicted[0], self.question),
            splits=found.splits,
            worse=found.worse,
            equivalent=found.equivalent,
            better=found.better,
            answer=answer,
            disagreements=sum(int((a.predictions != b.predictions).sum()) for a, b in common),
            predictions=sum(len(a.predictions) for a, _ in common),
            settling=self._settling(found, first, second, dropped=dropped) if answer == "cannot tell" else None,
        )

    def _settling(self, found: StepEstimate, first: Measured, second: Measured, *, dropped: bool) -> Settling:
        """Folds where a larger budget would give them and they can, else images."""
        if dropped:
            return Settling(kind="dropped")

        def seconds(splits: int) -> float:
            return sum(max(0, splits - one.splits) * one.seconds_a_split for one in (first, second))

        if found.splits < FEWEST_FOR_PROBABILITIES:
            return Settling(kind="few", seconds=seconds(FOLDS))
        task = self.question.task
        # a study with more images is given the time for all rounds
        would = what_would_settle(found, images=len(task.train_rows), splits=LOOKS[-1], folds=task.folds)
        if would.splits is not None:  # it is time that is missing, not images
            return Settling(kind="splits", splits=would.splits, seconds=seconds(would.splits))
        if would.more_images_range is None:
            return Settling(kind="beyond")
        low, high = would.more_images_range
        return Settling(kind="images", low=low, high=high)


def interval_on_one_split(first: Predicted, second: Predicted, question: Question) -> Interval:
    """Of a difference over the test images of the only split: the variance over training sets is not in it.

    Args:
        first: What is compared against.
        second: What is asked about, on the same split.
        question: Metric, task and seed.

    Returns:
        The 95 % interval of second minus first, from a paired bootstrap over images or groups.
    """
    task, rows = question.task, first.split.test
    groups = [str(unit) for unit in task.units[rows]]
    seed = derive_seed(question.seed, "paired bootstrap")
    if question.metric == "accuracy":
        labels = task.labels[rows]
        return paired_difference(first.predictions == labels, second.predictions == labels, groups, seed=seed)[1]
    before, after = (one.weighted(question.metric, task)[None] for one in (first, second))
    largest = largest_difference(question.metric, task.labels[task.train_rows])
    return difference_over_seeds(before, after, groups, seed=seed, largest=largest)[1]
