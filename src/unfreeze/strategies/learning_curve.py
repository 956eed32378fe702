"""The learning curve: the probe and fine-tuning on a half, a quarter and so on of what a split learns from."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from unfreeze.core.errors import DidNotTrainError, ImageSetError
from unfreeze.core.records import LearningCurve, LearningCurves
from unfreeze.core.seeding import derive_seed
from unfreeze.core.settings import Metric
from unfreeze.core.strategies import SOFTMAX_ON_LAST, StrategyId
from unfreeze.core.trials import Trial, TrialOutcome
from unfreeze.data.tasks import Split, Task
from unfreeze.metrics.extrapolation import (
    FEWEST_SIZES,
    FURTHEST,
    Overtakes,
    band,
    inflation,
    mean_draws,
    overtaking,
    read_law,
)
from unfreeze.metrics.repeated import FOLDS, compare_folds, largest_difference
from unfreeze.strategies.execution import Executor
from unfreeze.strategies.experiment import Experiment
from unfreeze.strategies.measurement import Measurement
from unfreeze.strategies.predictions import predicted_in, predicted_of
from unfreeze.strategies.step_one import StepOne

HALVINGS = 3  # of the probe: to an eighth
TRAINED_HALVINGS = 2  # of fine-tuning: to a quarter
MOST_SPLITS = 10  # of the probe
FEWEST_SPLITS = 3  # with two, Student's t makes a band as wide as the chart
FEWEST_OF_A_CLASS = 2  # images, or groups: one to fit and one to choose C on
PLACES = 25  # sizes at which the two laws are compared

Run = Callable[[Split], Float[np.ndarray, "row"]]


@dataclass(frozen=True, eq=False, kw_only=True)
class _Row:
    """One split, by numbers of training images.

    Attributes:
        split: With all its training images.
        sizes: Numbers of training images, ascending.
        values: For each size a value per test image, whose mean is the score.
    """

    split: Split
    sizes: tuple[int, ...]
    values: tuple[Float[np.ndarray, "..."], ...]


@dataclass(frozen=True, eq=False, kw_only=True)
class _Scoring:
    """How a fit is scored: on which labels, by accuracy or balanced accuracy."""

    task: Task
    metric: Metric

    def of_scores(self, scores: Float[np.ndarray, "row cls"], split: Split) -> Float[np.ndarray, " row"]:
        """A value per test image, from logits."""
        return predicted_of(scores, self.task, split).weighted(self.metric, self.task)

    def of_trial(self, found: TrialOutcome, split: Split) -> Float[np.ndarray, " row"]:
        """A value per test image, from what a trial gave."""
        return predicted_in(found, split).weighted(self.metric, self.task)

    def whole_splits(self, measured: Measurement) -> list[_Row]:
        """What the race has measured: rows of the largest size alone."""
        return [
            _Row(split=p.split, sizes=(len(p.split.learn),), values=(p.weighted(self.metric, self.task),))
            for p in measured.measured.predicted
        ]


def learning_curves(
    shared: StepOne,
    measured: Sequence[Measurement],
    executor: Executor,
    *,
    metric: Metric,
    probe_seconds: float,
    seconds: float,
) -> LearningCurves | None:
    """Scores of the probe and of the best fine-tuning by number of training images, and what is expected of more.

    Sub-samples are nested, stratified, of whole groups, and tested on what their split tests on. Whatever a strategy
    chooses is chosen anew inside them; its plan is that of all images.

    Args:
        shared: Fits probes and heads.
        measured: What the race has measured.
        executor: Carries out trials on fewer images.
        metric: What decides; accuracy takes the place of log-loss.
        probe_seconds: What the curve of the probe may take.
        seconds: What training on fewer images may take.

    Returns:
        The curves; fine-tuning's has the largest size alone where the seconds do not suffice. None where they, or the
        images, do not suffice for the curve of the probe.
    """
    task = shared.experiment.task
    scoring = _Scoring(task=task, metric="balanced accuracy" if metric == "balanced accuracy" else "accuracy")
    probe = next((m for m in measured if m.splits and m.outcome.strategy == SOFTMAX_ON_LAST), None)
    if probe is None:
        return None
    cheap = _with_smaller(
        scoring,
        scoring.whole_splits(probe)[:MOST_SPLITS],
        lambda split: scoring.of_scores(shared.on_last(split, "softmax").test_scores, split),
        halvings=HALVINGS,
        forecast=shared.on_last(task.split(0), "softmax").seconds_alone,
        seconds=probe_seconds,
    )
    if not cheap:
        return None
    curve = _curve(scoring, probe.outcome.strategy, cheap)
    alone = LearningCurves(metric=scoring.metric, probe=curve, fine_tuning=None, overtakes=None, between=None)
    best = _best_fine_tuning(scoring, measured)
    if best is None:
        return alone
    smaller = _fine_tuned(scoring, best, shared.experiment, executor, splits=len(cheap), seconds=seconds)
    note = "" if smaller else f"time or images did not suffice to train {best.label} on fewer images"
    expensive = smaller or scoring.whole_splits(best)
    overtakes, between = _overtaking(scoring, cheap, expensive)
    curve = _curve(scoring, best.outcome.strategy, expensive)
    return replace(alone, fine_tuning=curve, overtakes=overtakes, between=between, note=note)


def _best_fine_tuning(scoring: _Scoring, measured: Sequence[Measurement]) -> Measurement | None:
    """The one with the best score; those with five splits go before those with fewer."""

    def rank(one: Measurement) -> tuple[bool, float]:
        scores = [row.values[0].mean() for row in scoring.whole_splits(one)]
        return one.splits >= FOLDS, float(np.mean(scores))

    tuned = [m for m in measured if m.outcome.strategy.is_deeper and m.splits > 1]
    return max(tuned, key=rank, default=None)


def _fine_tuned(
    scoring: _Scoring,
    measured: Measurement,
    experiment: Experiment,
    executor: Executor,
    *,
    splits: int,
    seconds: float,
) -> list[_Row]:
    """Rows of a trained strategy on the first splits, with its progress."""
    strategy, once = measured.strategy, float(np.mean(measured.outcome.cost.split_seconds))
    if strategy is None or FEWEST_SPLITS * once > seconds:
        return []
    rows = scoring.whole_splits(measured)[: min(splits, FOLDS)]
    work = sum(strategy.work * len(row.split.learn) for row in rows)
    total = max(1, round(work * (1 - 0.5**TRAINED_HALVINGS)))
    with experiment.progress.phase("learning curve", total=total, unit="image") as advance:

        def run(split: Split) -> Float[np.ndarray, " row"]:
            trial = Trial(
                strategy=measured.outcome.strategy, split=split.name, seed=experiment.seed, training=strategy.training
            )
            outcome = next(executor.outcomes([trial], advance=advance))
            if outcome.failure:
                raise DidNotTrainError(outcome.curve)
            return scoring.of_trial(outcome, split)

        try:
            return _with_smaller(scoring, rows, run, halvings=TRAINED_HALVINGS, forecast=once, seconds=seconds)
        except DidNotTrainError:  # on fewer images
            return []


def _with_smaller(
    scoring: _Scoring, rows: Sequence[_Row], run: Run, *, halvings: int, forecast: float, seconds: float
) -> list[_Row]:
    """The rows with smaller sizes before their own, of as many splits as there is time for.

    Args:
        scoring: How fits are scored.
        rows: Of the largest size.
        run: Trains, and gives a value per test image.
        halvings: How often training images are halved, at most.
        forecast: Seconds of a split: what its whole training took. The parts train on less, but not all work shrinks.
        seconds: What all may take.

    Returns:
        Rows of three sizes or more, of three splits or more; none if the time or the images do not suffice for that.
    """
    if len(rows) < FEWEST_SPLITS or FEWEST_SPLITS * forecast > seconds:
        return []
    ends, found = time.perf_counter() + seconds, list[_Row]()
    parts = [halves(scoring.task, row.split, halvings) for row in rows]
    count = min(len(smaller) for smaller in parts)
    if count + 1 < FEWEST_SIZES:
        return []
    for row, smaller in zip(rows, parts, strict=True):
        begun = time.perf_counter()
        if begun + forecast > ends:
            break
        ascending = smaller[:count][::-1]
        sizes = tuple(len(part.learn) for part in ascending)
        values = tuple(run(part) for part in ascending)
        found.append(replace(row, sizes=(*sizes, *row.sizes), values=(*values, *row.values)))
        forecast = max(forecast, time.perf_counter() - begun)
    return found if len(found) >= FEWEST_SPLITS else []


def halves(task: Task, split: Split, halvings: int) -> list[Split]:
    """Half of what a split learns from, half of that, and so on, as long as each class keeps two images (or groups).

    A group that holds half of the images also ends it: a half must have two groups to choose C on.

    Args:
        task: Labels and groups.
        split: The whole.
        halvings: How many at most.

    Returns:
        Splits, largest first, each inside the one before; all test on what the whole tests on.
    """
    found = list[Split]()
    while len(found) < halvings and _fewest_of_a_class(task, split) >= 2 * FEWEST_OF_A_CLASS:
        try:
            split = task.half(split)
        except ImageSetError:  # half of the images lie in one group, so that a half has no folds
            break
        if _fewest_of_a_class(task, split) < FEWEST_OF_A_CLASS:
            break
        found.append(split)
    return found


def _fewest_of_a_class(task: Task, split: Split) -> int:
    """Images, or groups, of the rarest class that a split learns from."""
    pairs = np.unique(np.stack([task.labels[split.learn], task.units[split.learn]]), axis=1)
    return int(np.bincount(pairs[0], minlength=task.class_count).min())


def _curve(scoring: _Scoring, strategy: StrategyId, rows: Sequence[_Row]) -> LearningCurve:
    sizes, draws = _mean_sizes(rows), _draws(scoring, rows)
    ahead = sizes[-1] * np.array([2.0, FURTHEST])
    read = read_law(sizes, draws, ahead).T if len(sizes) >= FEWEST_SIZES else ()
    return LearningCurve(
        strategy=strategy,
        splits=len(rows),
        sizes=_whole_numbers(sizes),
        scores=tuple(_scores(rows).mean(axis=0).tolist()),
        bands=tuple(band(one) for one in draws.T),
        ahead=_whole_numbers(ahead) if len(read) else (),
        expected=tuple(float(np.median(one)) for one in read),
        expected_bands=tuple(band(one) for one in read),
    )


def _overtaking(
    scoring: _Scoring, cheap: Sequence[_Row], expensive: Sequence[_Row]
) -> tuple[Overtakes, tuple[int, int] | None]:
    """Where fine-tuning gets ahead: both by the same law, on the sizes and splits that both have.

    Of the largest size alone it can only be said that fine-tuning is ahead there already.
    """
    count = len(expensive[0].sizes)
    both = [
        replace(first, values=(*first.values[-count:], *second.values[-count:]))
        for first, second in zip(cheap, expensive, strict=False)
    ]
    sizes, draws = _mean_sizes(expensive), _draws(scoring, both)
    first, second = draws[:, :count], draws[:, count:]
    if count < FEWEST_SIZES:
        answer, _ = overtaking(second - first, sizes)
        return ("already ahead" if answer == "already ahead" else "cannot tell"), None
    places = sizes[-1] * np.geomspace(1, FURTHEST, PLACES)
    gains = read_law(sizes, second, places) - read_law(sizes, first, places)
    answer, between = overtaking(gains, places)
    return answer, None if between is None else (round(between[0]), round(between[1]))


def _mean_sizes(rows: Sequence[_Row]) -> Float[np.ndarray, " size"]:
    sizes: np.ndarray = np.mean([row.sizes for row in rows], axis=0)
    return sizes


def _whole_numbers(sizes: Float[np.ndarray, " size"]) -> tuple[int, ...]:
    return tuple(int(size) for size in sizes.round())


def _scores(rows: Sequence[_Row]) -> Float[np.ndarray, "split size"]:
    return np.array([[values.mean() for values in row.values] for row in rows])


def _draws(scoring: _Scoring, rows: Sequence[_Row]) -> Float[np.ndarray, "draw size"]:
    """What the expected scores may be; where splits agree by chance, their images say how sure a score can be."""
    task, splits = scoring.task, [row.split for row in rows]
    tested = task.tested(splits, "accuracy")  # the values carry the weights of classes
    largest = largest_difference(scoring.metric, task.labels[task.train_rows])
    errors = [
        compare_folds(
            [np.zeros_like(one) for one in values], values, tested, margin=0.0, largest=largest
        ).standard_error
        or 0.0
        for values in zip(*(row.values for row in rows), strict=True)
    ]
    least = np.square(errors) / inflation(len(rows), 1 / task.folds)
    seed = derive_seed(task.seed, "learning curve")
    return mean_draws(_scores(rows), least=least, test_fraction=1 / task.folds, seed=seed)
