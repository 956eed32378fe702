"""Two finished runs, compared."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from example_run import run_record
from unfreeze.advisor.two_runs import answer, compare_runs
from unfreeze.core.errors import InputError
from unfreeze.core.records import Interval, Outcome, SplitRecord
from unfreeze.core.run_record import RunRecord
from unfreeze.core.settings import Metric
from unfreeze.core.strategies import HEAD
from unfreeze.metrics.repeated import Tested, compare_folds

IMAGES = 200
NAMES = tuple(f"{number:03}.jpg" for number in range(IMAGES))


def run(
    right: np.ndarray, *, seed: int = 0, rounds: int = 1, names: tuple[str, ...] = NAMES, **other: Any
) -> RunRecord:
    """A run whose picked strategy is right on the images that `right` says, in rounds of five splits of its own."""
    rng, images = np.random.default_rng(seed), len(right)
    folds = [fold for _ in range(rounds) for fold in np.array_split(rng.permutation(images), 5)]
    tests = [tuple(sorted(fold.tolist())) for fold in folds]
    labels = tuple(number % 2 for number in range(images))
    predictions = tuple(tuple(labels[place] if right[place] else 1 - labels[place] for place in test) for test in tests)
    outcome = Outcome(strategy=HEAD, description="the head", splits=len(tests), predictions=predictions)
    fields: dict[str, Any] = {
        "train_images": names,
        "train_labels": labels,
        "train_groups": ("",) * images,
        "splits": tuple(SplitRecord(number=number, test=test) for number, test in enumerate(tests)),
        "strategies": (outcome,),
        "picked": HEAD,
        "metric": "accuracy",
        "interrupted": False,
    }
    return replace(run_record(), **{**fields, **other})


def some_right(share: float, seed: int) -> np.ndarray:
    """A random part of the images."""
    return np.random.default_rng(seed).random(IMAGES) < share


@pytest.mark.parametrize("rounds", [(1, 1), (2, 2), (1, 4), (4, 2), (3, 2)])
def test_the_difference_is_that_of_the_mean_rightness(rounds: tuple[int, int]) -> None:
    """However many rounds each run has, and however it split, an image counts with its mean."""
    first, second = some_right(0.8, 1), some_right(0.9, 2)

    found = compare_runs(run(first, seed=3, rounds=rounds[0]), run(second, seed=4, rounds=rounds[1]), names=("a", "b"))

    assert found.difference == pytest.approx(second.mean() - first.mean())
    assert (found.first.score, found.second.score) == pytest.approx((first.mean(), second.mean()))
    assert (found.images, found.same_splits) == (IMAGES, False)
    assert found.interval.low < found.difference < found.interval.high


def test_on_the_same_splits_it_is_the_comparison_of_one_run() -> None:
    """The interval is what a run gives for two of its strategies."""
    first, second = some_right(0.8, 1), some_right(0.9, 2)
    one, two = run(first, seed=3, rounds=2), run(second, seed=3, rounds=2)
    folds = [np.array(split.test) for split in one.splits]
    expected = compare_folds(
        [first[fold].astype(float) for fold in folds],
        [second[fold].astype(float) for fold in folds],
        Tested(units=folds),
        margin=0.0,
    )

    found = compare_runs(one, two, names=("a", "b"))

    assert found.same_splits
    assert expected.interval is not None
    assert found.interval == pytest.approx(tuple(expected.interval))


def test_exchanging_the_runs_turns_the_difference_around() -> None:
    """The second run is seen from the first, with as wide an interval."""
    one, two = run(some_right(0.8, 1), seed=3), run(some_right(0.9, 2), seed=4, rounds=2)

    there, back = compare_runs(one, two, names=("a", "b")), compare_runs(two, one, names=("b", "a"))

    assert back.difference == pytest.approx(-there.difference)
    assert back.interval == pytest.approx((-there.interval.high, -there.interval.low))


def test_only_common_images_of_one_class_count() -> None:
    """Images of one run alone do not matter, nor does one whose class was mended in between."""
    first, second = some_right(0.8, 1), some_right(0.9, 2)
    others = (*NAMES[:150], *(f"new-{number}.jpg" for number in range(50)))
    labels = tuple(number % 2 for number in range(IMAGES))
    mended = (1 - labels[0], *labels[1:])

    found = compare_runs(run(first, seed=3), run(second, seed=4, names=others, train_labels=mended), names=("a", "b"))

    assert (found.images, found.relabelled) == (149, 1)
    assert found.difference == pytest.approx(second[1:150].mean() - first[1:150].mean())


def test_different_splits_of_one_strategy_are_rarely_called_different() -> None:
    """Of a hundred pairs of runs that are right by the same chances, the interval leaves out 0 in at most ten."""
    rng = np.random.default_rng(0)
    easy = rng.beta(4, 1, IMAGES)  # how often each image is right
    outside = 0
    for number in range(100):
        pair = [run(rng.random(IMAGES) < easy, seed=2 * number + side) for side in range(2)]
        interval = compare_runs(*pair, names=("a", "b")).interval
        outside += not interval.low <= 0 <= interval.high

    assert outside <= 10


@pytest.mark.parametrize(
    ("difference", "interval", "metric", "sentence"),
    [
        (
            0.012,
            (-0.008, 0.032),
            "accuracy",
            "The two runs differ by 1.2 points (-0.8 to 3.2): chance may explain it.",
        ),
        (
            0.012,
            (0.003, 0.021),
            "accuracy",
            "The second run is better by 1.2 points (0.3 to 2.1): more than chance explains.",
        ),
        (
            -0.05,
            (-0.09, -0.01),
            "balanced accuracy",
            "The first run is better by 5.0 points (1.0 to 9.0): more than chance explains.",
        ),
        (
            0.04,
            (-0.01, 0.09),
            "log-loss",
            "The two runs differ by 0.040 nats (-0.010 to 0.090): chance may explain it.",
        ),
    ],
)
def test_the_answer_is_a_sentence(
    difference: float, interval: tuple[float, float], metric: Metric, sentence: str
) -> None:
    """Which run is better is said only where chance does not explain it."""
    assert answer(difference, Interval(*interval), metric) == sentence


def refusal(first: RunRecord, second: RunRecord) -> str:
    """Why two runs are not compared."""
    with pytest.raises(InputError) as caught:
        compare_runs(first, second, names=("runs/a", "runs/b"))
    return str(caught.value)


def test_what_cannot_be_compared_is_said_in_one_sentence() -> None:
    """A run that was stopped, one that picked nothing, other classes, and no or too few common images."""
    whole = run(some_right(0.8, 1))
    few = (*NAMES[:2], *(f"new-{number}.jpg" for number in range(IMAGES - 2)))

    assert refusal(whole, replace(whole, interrupted=True)) == (
        "The run runs/b was stopped before its end. Go on with it: unfreeze run --resume runs/b"
    )
    assert refusal(replace(whole, picked=None), whole) == (
        "The run runs/a picked no strategy, so there is nothing to compare. Run again with more time."
    )
    assert refusal(replace(whole, classes=("ants", "bees")), replace(whole, classes=("ants", "wasps"))) == (
        "The two runs learned other classes ('bees' only in runs/a; 'wasps' only in runs/b). Compare runs on the same "
        "classes."
    )
    assert refusal(whole, run(some_right(0.8, 1), names=tuple(f"new-{name}" for name in NAMES))) == (
        "runs/a and runs/b tested no image of the same name and class, so they cannot be compared. Give two runs on "
        "the same photos."
    )
    assert refusal(whole, run(some_right(0.8, 1), names=few)) == (
        "runs/a and runs/b share 2 tested images, not one in each of two splits or more: too few to compare. Give runs "
        "on more of the same photos."
    )
