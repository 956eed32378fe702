"""Two finished runs: does what they picked differ on the images that both tested, and how sure is that?"""

import itertools
import shlex
from collections import defaultdict
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float

from unfreeze.core.documents import ComparedRun, CompareRecord
from unfreeze.core.errors import InputError
from unfreeze.core.records import Interval, Outcome
from unfreeze.core.run_record import RunRecord
from unfreeze.core.settings import Metric
from unfreeze.core.wording import MOST, count, listed, nats
from unfreeze.metrics.grouping import unit_numbers
from unfreeze.metrics.repeated import (
    FEWEST_FOR_PROBABILITIES,
    FOLDS,
    Tested,
    compare_folds,
    largest_outcome,
    mean_score,
)

_SHOWN = 5  # classes in an error
_Side = list[Float[np.ndarray, "..."]]


@dataclass(frozen=True, kw_only=True)
class _Tests:
    """What a picked strategy gave for every image, in the order of its tests.

    Attributes:
        network: Its name.
        outcome: Of the strategy.
        label_of: Class index by name of the image.
        group_of: Group by name of the image.
        by_split: Names of the images and their values, split by split.
    """

    network: str
    outcome: Outcome
    label_of: Mapping[str, int]
    group_of: Mapping[str, str]
    by_split: Sequence[Mapping[str, float]]

    @cached_property
    def by_image(self) -> dict[str, list[float]]:
        """The values of every image that was tested."""
        found: dict[str, list[float]] = defaultdict(list)
        for split in self.by_split:
            for name, value in split.items():
                found[name].append(value)
        return found


def compare_runs(first: RunRecord, second: RunRecord, *, names: tuple[str, str]) -> CompareRecord:
    """Compare what two runs picked, paired by image.

    Images are matched by their names, relative to the folder or list that each run read: the record has no hash of
    their content. One whose class differs is left out.

    The splits of the two runs may differ, in seed as in number. So each test of an image in the run with more splits
    stands beside a test of the same image in the other one, whose tests are taken in turn: over all splits, an image
    counts with its mean in both. These pairs, in the folds of the run with more splits, go to
    `metrics.repeated.compare_folds`, as every step inside a run does, since it has the variance over training sets in
    its interval, which `metrics.comparison.paired_difference` has not: both runs chose and trained on draws of their
    own. Where the splits are the same, this is the comparison that one run makes between two strategies. Where they are
    not, a part of what training sets add is not taken out by pairing: it lies in the differences of the images.

    What was picked is the best of several in each run, so both scores are a little too good; that is not corrected.

    Args:
        first: What is compared against.
        second: What is asked about.
        names: What the user calls the two.

    Returns:
        The comparison.

    Raises:
        InputError: A run is not finished or picked nothing, their classes differ, or there are no common images.
    """
    for record, name in zip((first, second), names, strict=True):
        _check_finished(record, name)
    _check_classes(first, second, names)
    metric = _common_metric(first, second)
    one, two = _tests(first, metric), _tests(second, metric)
    both = one.by_image.keys() & two.by_image.keys()
    common = {name for name in both if one.label_of[name] == two.label_of[name]}
    if not common:
        msg = (
            f"{names[0]} and {names[1]} tested no image of the same name and class, so they cannot be compared. Give "
            "two runs on the same photos."
        )
        raise InputError(msg)
    before, after, tested = _paired(one, two, common, metric)
    if len(tested.units) < FEWEST_FOR_PROBABILITIES or not all(map(len, tested.units)):
        msg = (
            f"{names[0]} and {names[1]} share {count(len(common), 'tested image')}, not one in each of two splits or "
            "more: too few to compare. Give runs on more of the same photos."
        )
        raise InputError(msg)
    found = compare_folds(before, after, tested, margin=0.0, largest=largest_outcome(metric, len(first.classes)))
    assert found.interval is not None  # noqa: S101 - two folds or more have one
    compared = [
        _compared(side, name, -1 * mean_score(given, tested) if metric == "log-loss" else mean_score(given, tested))
        for side, name, given in zip((one, two), names, (before, after), strict=True)
    ]
    return CompareRecord(
        first=compared[0],
        second=compared[1],
        metric=metric,
        images=len(common),
        relabelled=len(both) - len(common),
        difference=found.difference,
        interval=found.interval,
        same_splits=_same_splits(one, two, common),
        verdict=answer(found.difference, found.interval, metric),
    )


def answer(difference: float, interval: Interval, metric: Metric) -> str:
    """What a difference of two runs means, in a sentence.

    Args:
        difference: Second minus first, more being better.
        interval: 95 % interval of it.
        metric: In which.

    Returns:
        The sentence.

    Example:
        >>> answer(0.012, Interval(-0.008, 0.032), "accuracy")
        'The two runs differ by 1.2 points (-0.8 to 3.2): chance may explain it.'
    """
    unit = "nats" if metric == "log-loss" else "points"
    sign = -1 if interval.high < 0 else 1  # the better one is named, so that its gain is written
    ends = sorted((sign * interval.low, sign * interval.high))
    span = " to ".join(_number(max(-MOST[metric], min(MOST[metric], end)), metric) for end in ends)
    if interval.low <= 0 <= interval.high:
        return f"The two runs differ by {_number(difference, metric)} {unit} ({span}): chance may explain it."
    better = "second" if sign > 0 else "first"
    gain = _number(sign * difference, metric)
    return f"The {better} run is better by {gain} {unit} ({span}): more than chance explains."


def _number(value: float, metric: Metric) -> str:
    return nats(round(value, 3) + 0.0) if metric == "log-loss" else f"{round(100 * value, 1) + 0.0:.1f}"


def _check_finished(record: RunRecord, name: str) -> None:
    if record.interrupted:
        msg = f"The run {name} was stopped before its end. Go on with it: unfreeze run --resume {shlex.quote(name)}"
        raise InputError(msg)
    outcome = record.outcome_of(record.picked)
    if outcome is None or not outcome.measured:
        msg = f"The run {name} picked no strategy, so there is nothing to compare. Run again with more time."
        raise InputError(msg)


def _check_classes(first: RunRecord, second: RunRecord, names: tuple[str, str]) -> None:
    if first.classes == second.classes:
        return
    alone = [sorted(set(a.classes) - set(b.classes)) for a, b in ((first, second), (second, first))]
    said = [
        f"{listed([*map(repr, labels[:_SHOWN]), *(['others'] if len(labels) > _SHOWN else [])])} only in {name}"
        for labels, name in zip(alone, names, strict=True)
        if labels
    ]
    msg = f"The two runs learned other classes ({'; '.join(said)}). Compare runs on the same classes."
    raise InputError(msg)


def _common_metric(first: RunRecord, second: RunRecord) -> Metric:
    """The metric of both runs, where both picked strategies have it; else accuracy."""
    if first.metric != second.metric:
        return "accuracy"
    outcomes = [record.outcome_of(record.picked) for record in (first, second)]
    has_it = all(outcome is not None and outcome.log_likelihoods for outcome in outcomes)
    return first.metric if has_it or first.metric != "log-loss" else "accuracy"


def _tests(record: RunRecord, metric: Metric) -> _Tests:
    outcome = record.outcome_of(record.picked)
    assert outcome is not None, record.picked  # noqa: S101 - checked before
    names, labels = record.train_images, record.train_labels
    given = outcome.log_likelihoods if metric == "log-loss" else outcome.predictions
    by_split = [
        {
            names[place]: float(value) if metric == "log-loss" else float(value == labels[place])
            for place, value in zip(split.test, values, strict=True)
        }
        for split, values in zip(record.splits, given, strict=False)
    ]
    return _Tests(
        network=record.network.name,
        outcome=outcome,
        label_of=dict(zip(names, labels, strict=True)),
        group_of=dict(zip(names, record.train_groups, strict=True)),
        by_split=by_split,
    )


def _paired(first: _Tests, second: _Tests, common: Set[str], metric: Metric) -> tuple[_Side, _Side, Tested]:
    """Values of both sides by fold of the one with more splits, and what these folds tested."""
    turned = len(first.by_split) < len(second.by_split)
    longer, other = (second, first) if turned else (first, second)
    images = [[name for name in split if name in common] for split in longer.by_split]
    theirs = {name: itertools.cycle(values) for name, values in other.by_image.items()}
    ours = [np.array([split[name] for name in some]) for split, some in zip(longer.by_split, images, strict=True)]
    beside = [np.array([next(theirs[name]) for name in some]) for some in images]
    names = sorted(common)
    groups = [first.group_of[name] or second.group_of[name] for name in names]
    unit_of = dict(zip(names, unit_numbers(groups).tolist(), strict=True))
    labels = [np.array([first.label_of[name] for name in some], np.int64) for some in images]
    tested = Tested(
        units=[np.array([unit_of[name] for name in some], np.int64) for some in images],
        classes=labels if metric == "balanced accuracy" else None,
        folds=_round_of(longer.by_split),
    )
    return (beside, ours, tested) if turned else (ours, beside, tested)


def _round_of(by_split: Sequence[Mapping[str, float]]) -> int:
    """How many splits test every image once."""
    seen: set[str] = set()
    for number, split in enumerate(by_split):
        if seen & split.keys():
            return number
        seen.update(split)
    return max(FOLDS, len(by_split))


def _same_splits(first: _Tests, second: _Tests, common: Set[str]) -> bool:
    pairs = zip(first.by_split, second.by_split, strict=False)
    return all(one.keys() & common == two.keys() & common for one, two in pairs)


def _compared(side: _Tests, name: str, score: float) -> ComparedRun:
    return ComparedRun(
        run=name, network=side.network, picked=side.outcome.strategy, splits=len(side.by_split), score=score
    )
