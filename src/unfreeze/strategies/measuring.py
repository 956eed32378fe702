"""What a strategy gave on the splits so far, and the record that is made of it."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import numpy as np
import psutil
from jaxtyping import Float, Int
from scipy.special import log_softmax, softmax

from unfreeze.core.progress import Advance, ignore
from unfreeze.core.records import Confirmation, Cost, Interval, Metric, Outcome
from unfreeze.core.seeding import derive_seed
from unfreeze.metrics.accuracy import accuracy, balanced_accuracy, log_loss
from unfreeze.metrics.intervals import accuracy_interval
from unfreeze.metrics.repeated import FEWEST_FOR_PROBABILITIES, compare_splits, metric_values
from unfreeze.strategies.experiment import TEST_FRACTION, Split, Task
from unfreeze.strategies.strategy import Fit, Strategy

DECIMALS = 5  # of log-likelihoods that are kept


@dataclass(frozen=True, eq=False, kw_only=True)
class Predicted:
    """What is kept of a fit.

    Attributes:
        split: Where.
        predictions: Class index of every test row.
        log_likelihoods: Log of the probability of each row's own class, nats; None for an SVM.
    """

    split: Split
    predictions: Int[np.ndarray, " row"]
    log_likelihoods: Float[np.ndarray, " row"] | None

    def values(self, metric: Metric, task: Task) -> Float[np.ndarray, " row"]:
        """A value per test row whose mean is the metric, larger being better; of an SVM the log-loss is infinite."""
        labels = task.labels[self.split.test]
        if metric != "log-loss":
            return metric_values(metric, labels, predictions=self.predictions)
        return np.full(len(labels), -np.inf) if self.log_likelihoods is None else self.log_likelihoods


@dataclass(eq=False)
class Measurement:
    """A strategy and what it gave so far.

    Attributes:
        strategy: Ready to run; None if it was left out.
        outcome: Its record, without what is made of `predicted`.
        predicted: What is kept of each split, in the order of the splits.
    """

    strategy: Strategy | None
    outcome: Outcome
    predicted: list[Predicted] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Unique in its run."""
        return self.outcome.name

    @property
    def splits(self) -> int:
        """On how many it was measured: always the first ones."""
        return len(self.predicted)

    @property
    def work(self) -> int:
        """Of its strategy: 0 where nothing trains a network."""
        return self.strategy.work if self.strategy else 0

    @property
    def seconds_a_split(self) -> float:
        """Mean wall time of a split; 0 before the first."""
        seconds = self.outcome.cost.split_seconds
        return sum(seconds) / len(seconds) if seconds else 0.0

    @property
    def refit_seconds(self) -> float:
        """Forecast of a fit on everything: a training's own, and no less than what splits took, which are smaller.

        What trains no network has one core then: its processor time counts, of which side by side less time passed.
        """
        own, cost = self.strategy.refit_seconds if self.strategy else 0.0, self.outcome.cost
        on_one_core = 0.0 if self.work or not self.splits else cost.cpu_seconds / self.splits
        return max(own, max(self.seconds_a_split, on_one_core) / (1 - TEST_FRACTION))

    def measure(self, task: Task, split: Split, *, advance: Advance = ignore) -> None:
        """Run the strategy on the next split and note what it gave and took."""
        assert self.strategy is not None, self.name  # noqa: S101 - nobody measures what was left out
        with metered() as took:
            fit = self.strategy.fit(split, advance=advance)
        if fit.took is not None:
            took.seconds, took.cpu_seconds = (round(seconds, 3) for seconds in fit.took)
        self.predicted.append(predicted(fit, task, split))
        self.note(fit)
        cost = self.outcome.cost
        split_seconds = (*cost.split_seconds, took.seconds)
        self.outcome = replace(self.outcome, cost=replace(added(cost, took), split_seconds=split_seconds))

    def note(self, fit: Fit) -> None:
        """Take over what the latest fit says of itself; a failed audit is never overwritten."""
        audit = self.outcome.audit if self.outcome.audit and not self.outcome.audit.passed else fit.audit
        self.outcome = replace(
            self.outcome,
            settings={**self.outcome.settings, **fit.settings},
            tap=fit.tap or self.outcome.tap,
            trained=fit.trained or self.outcome.trained,
            audit=audit,
            curve=fit.curve,
        )

    def record(self, task: Task) -> Outcome:
        """The outcome with what was measured."""
        if not self.predicted:
            return self.outcome
        scores = {metric: self._mean(metric, task) for metric in ("accuracy", "balanced accuracy", "log-loss")}
        kept = [p.log_likelihoods for p in self.predicted if p.log_likelihoods is not None]
        return replace(
            self.outcome,
            splits=self.splits,
            accuracy=scores["accuracy"],
            interval=accuracy_over_splits(self.predicted, task),
            balanced_accuracy=scores["balanced accuracy"],
            log_loss=-scores["log-loss"] if kept else None,
            predictions=tuple(tuple(p.predictions.tolist()) for p in self.predicted),
            log_likelihoods=tuple(tuple(one.round(DECIMALS).tolist()) for one in kept),
        )

    def _mean(self, metric: Metric, task: Task) -> float:
        return float(np.mean([p.values(metric, task).mean() for p in self.predicted]))


def well_measured(measured: Sequence[Measurement]) -> list[Measurement]:
    """Those with as many splits as give probabilities, or as any of them has: what may be compared by its mean."""
    enough = min(FEWEST_FOR_PROBABILITIES, max((m.splits for m in measured), default=0))
    return [m for m in measured if m.splits >= enough]


def predicted(fit: Fit, task: Task, split: Split) -> Predicted:
    """What is kept of a fit: predictions and the log-likelihoods of the true classes, not the network."""
    likelihoods = _log_likelihoods(fit, task.labels[split.test]) if fit.probabilities else None
    return Predicted(split=split, predictions=fit.scores.argmax(axis=1), log_likelihoods=likelihoods)


def _log_likelihoods(fit: Fit, labels: Int[np.ndarray, " row"]) -> Float[np.ndarray, " row"]:
    """Log of the probability of each row's own class, nats."""
    every = log_softmax(fit.scores.astype(np.float64), axis=1)
    # as scikit-learn's log-loss: one confident mistake costs 36 nats, not everything
    kept: Float[np.ndarray, " row"] = np.maximum(
        every[np.arange(len(labels)), labels], np.log(np.finfo(np.float64).eps)
    )
    return kept


def accuracy_over_splits(measured: list[Predicted], task: Task) -> Interval | None:
    """95 % interval of the expected accuracy at the training size of a split; None below two splits."""
    if len(measured) < 2:
        return None
    right = [p.values("accuracy", task) for p in measured]
    found = compare_splits(
        [np.zeros_like(one) for one in right],
        right,
        units=[units_of(task, p.split) for p in measured],
        test_fraction=task.tested_share([p.split for p in measured]),
        margin=0.0,
    ).interval
    return Interval(max(0.0, found.low), min(1.0, found.high)) if found else None


def units_of(task: Task, split: Split) -> Int[np.ndarray, " row"]:
    """Number of the independent unit of every test row of a split: its group, or the row itself."""
    units: Int[np.ndarray, " row"] = task.units[split.test]
    return units


def confirmation(fit: Fit, task: Task, *, seed: int) -> Confirmation | None:
    """What a model trained on everything reaches on the user's own test folder; None without one."""
    rows = task.test_rows
    if not len(rows):
        return None
    labels, said = task.labels[rows], fit.scores.argmax(axis=1)
    groups = [task.groups[row] for row in rows]
    return Confirmation(
        accuracy=accuracy(labels, said),
        interval=accuracy_interval(said == labels, groups if any(groups) else None, seed=derive_seed(seed, "interval")),
        balanced_accuracy=balanced_accuracy(labels, said),
        log_loss=log_loss(labels, softmax(fit.scores.astype(np.float64), axis=1)) if fit.probabilities else None,
        predictions=tuple(said.tolist()),
        log_likelihoods=(tuple(_log_likelihoods(fit, labels).round(DECIMALS).tolist()) if fit.probabilities else ()),
    )


@dataclass
class Took:
    """What a piece of work took; filled when it ends."""

    seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_bytes: int = 0


@contextmanager
def metered() -> Iterator[Took]:
    """Measure wall time, processor time (children included) and the peak of resident memory."""
    took, started, used = Took(), time.perf_counter(), _cpu_seconds()
    try:
        yield took
    finally:
        took.seconds = round(time.perf_counter() - started, 3)
        took.cpu_seconds = round(_cpu_seconds() - used, 3)
        took.peak_bytes = peak_memory()


def added(cost: Cost, took: Took) -> Cost:
    """A cost with what one more piece of work took."""
    return replace(
        cost,
        seconds=round(cost.seconds + took.seconds, 3),
        cpu_seconds=round(cost.cpu_seconds + took.cpu_seconds, 3),
        peak_bytes=max(cost.peak_bytes, took.peak_bytes),
    )


def _cpu_seconds() -> float:
    """Of this process and of those of its children that live or were waited for."""
    me = psutil.Process()
    own = me.cpu_times()
    total = own.user + own.system + getattr(own, "children_user", 0.0) + getattr(own, "children_system", 0.0)
    for child in me.children(recursive=True):
        try:
            times = child.cpu_times()
        except psutil.Error:
            continue  # it has just ended, and is in the children's sum of its parent
        total += times.user + times.system
    return float(total)


def peak_memory() -> int:
    """The largest resident memory of this process so far, bytes; where the system keeps no peak, today's."""
    memory = psutil.Process().memory_info()
    try:
        import resource
    except ImportError:  # Windows
        return int(getattr(memory, "peak_wset", memory.rss))
    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(largest if psutil.MACOS else 1024 * largest)
