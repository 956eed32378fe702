"""What must hold of a step measured on rounds of folds, whatever the outcomes are."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unfreeze.metrics.repeated import StepEstimate, Tested, compare_folds, mean_score
from unfreeze.metrics.selection_bias import corrected_winner
from unfreeze.metrics.settling import what_would_settle

few = settings(max_examples=60, deadline=None)
SEEDS = st.integers(0, 10**6)
Folds = tuple[list[np.ndarray], list[np.ndarray], Tested]


def folds_of(
    first: np.ndarray, second: np.ndarray, units: np.ndarray, *, splits: int, seed: int, classes: bool = False
) -> Folds:
    """Outcomes on the first folds of rounds that test every unit once, and what they tested."""
    rng = np.random.default_rng(seed)
    names, tests = np.unique(units), list[np.ndarray]()
    while len(tests) < splits:
        parts = np.array_split(rng.permutation(names), min(5, len(names)))
        tests += [np.flatnonzero(np.isin(units, part)) for part in parts]
    tests = tests[:splits]
    tested = Tested(
        units=[units[test] for test in tests],
        classes=[test % 3 // 2 for test in tests] if classes else None,
        folds=min(5, len(names)),
    )
    return [first[test] for test in tests], [second[test] for test in tests], tested


def estimate(outcomes: Folds, *, margin: float = 0.01) -> StepEstimate:
    """What the folds say."""
    return compare_folds(*outcomes, margin=margin)


def random_outcomes(seed: int, *, images: int = 100, gain: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Right or wrong with two strategies that share most of their mistakes."""
    rng = np.random.default_rng(seed)
    first = (rng.random(images) < 0.8).astype(float)
    changed = rng.random(images) < 0.2
    return first, np.where(changed, (rng.random(images) < 0.8 + gain).astype(float), first)


@few
@given(SEEDS, st.sampled_from([1, 2, 4, 5, 10]), st.floats(-0.8, 0.2), st.floats(0, 0.3), st.booleans())
def test_exchanging_the_two_turns_everything_around(
    seed: int, splits: int, gain: float, margin: float, classes: bool
) -> None:
    """The difference changes its sign, the interval is mirrored, worse and better change places."""
    first, second, tested = folds_of(
        *random_outcomes(seed, gain=gain), np.arange(100), splits=splits, seed=seed, classes=classes
    )

    there, back = estimate((first, second, tested), margin=margin), estimate((second, first, tested), margin=margin)

    assert there.difference == pytest.approx(-back.difference)
    assert (there.interval is None) == (splits == 1)
    if there.interval is not None and back.interval is not None:
        assert (there.interval.low, there.interval.high) == pytest.approx((-back.interval.high, -back.interval.low))
    if there.better is not None:
        assert (there.worse, there.equivalent) == pytest.approx((back.better, back.equivalent), abs=1e-9)
    if there.answer == "worth it":
        assert back.answer == "not worth it"
    if there.answer == "equivalent":
        assert back.answer == "equivalent"


@few
@given(SEEDS, st.sampled_from([2, 5, 7, 10]), st.sampled_from([100, 30]), st.booleans())
def test_the_order_of_images_does_not_matter(seed: int, splits: int, units: int, classes: bool) -> None:
    """Images in another order inside their folds, and units with other names, leave the estimate as it is."""
    outcomes = folds_of(*random_outcomes(seed), np.arange(100) % units, splits=splits, seed=seed, classes=classes)
    rng = np.random.default_rng(seed)
    orders = [rng.permutation(len(part)) for part in outcomes[0]]
    first, second, names = (
        [part[order] for part, order in zip(side, orders, strict=True)] for side in (*outcomes[:2], outcomes[2].units)
    )
    of_classes = outcomes[2].classes
    tested = Tested(
        units=[97 * name % 101 for name in names],
        classes=None if of_classes is None else [one[order] for one, order in zip(of_classes, orders, strict=True)],
    )

    once, again = estimate(outcomes), estimate((first, second, tested))

    for name in ("difference", "image_variance", "fit_variance", "standard_error", "degrees_of_freedom", "better"):
        assert getattr(again, name) == pytest.approx(getattr(once, name), abs=1e-12)
    assert again.answer == once.answer


@few
@given(SEEDS, st.sampled_from([1, 3, 5, 9, 20]), st.booleans())
def test_a_difference_is_that_of_the_scores(seed: int, splits: int, classes: bool) -> None:
    """Second minus first, of the metric over all images that the folds tested."""
    first, second, tested = folds_of(*random_outcomes(seed), np.arange(100), splits=splits, seed=seed, classes=classes)

    found = estimate((first, second, tested)).difference

    assert found == pytest.approx(mean_score(second, tested) - mean_score(first, tested))


@few
@given(st.integers(5, 1200), st.integers(2, 20), st.floats(0.001, 0.05))
def test_identical_outcomes_are_equivalent_only_by_the_rule_of_three(images: int, splits: int, margin: float) -> None:
    """Nothing seen to differ in m images says "equivalent" (or anything) only if 3/m is below the margin."""
    outcomes = (np.random.default_rng(images).random(images) < 0.8).astype(float)
    folds = folds_of(outcomes, outcomes, np.arange(images), splits=splits, seed=images)
    tested = len(np.unique(np.concatenate(list(folds[2].units))))

    said = estimate(folds, margin=margin)

    assert said.interval is not None
    assert said.interval.high >= 3 / tested
    assert said.answer != "worth it"
    if said.answer != "cannot tell":
        assert 3 / tested < margin


def test_identical_outcomes_on_many_images_are_equivalent() -> None:
    """Two strategies that agree on 2,000 images are equivalent within a point."""
    outcomes = np.ones(2000)

    assert estimate(folds_of(outcomes, outcomes, np.arange(2000), splits=5, seed=0)).answer == "equivalent"


@few
@given(SEEDS, st.integers(2, 5), st.integers(2, 10), st.integers(6, 40))
def test_copies_inside_their_groups_prove_nothing_new(seed: int, times: int, splits: int, groups: int) -> None:
    """Every image several times, in its group, leaves the estimate as it is."""
    first, second = random_outcomes(seed)
    group_of = np.arange(100) % groups

    once = estimate(folds_of(first, second, group_of, splits=splits, seed=seed))
    copied = [np.tile(column, times) for column in (first, second, group_of)]
    often = estimate(folds_of(*copied, splits=splits, seed=seed))

    assert once.interval is not None
    assert often.interval is not None
    assert (often.interval.low, often.interval.high) == pytest.approx((once.interval.low, once.interval.high))
    assert often.answer == once.answer


def test_copies_without_groups_would_prove_something() -> None:
    """The same copies as images of their own make the interval narrower: that is why units are asked for."""
    first, second = random_outcomes(0)
    copied = [np.tile(column, 4) for column in (first, second, np.arange(100))]
    before, after, tested = folds_of(*copied, splits=5, seed=0)
    fooled = Tested(units=[np.arange(len(part)) + 1000 * fold for fold, part in enumerate(tested.units)])

    assert estimate((before, after, fooled)).image_variance < estimate((before, after, tested)).image_variance / 3


def test_expected_interval_shrinks_with_the_images() -> None:
    """The mean width over 40 studies falls by about the root of the number of images."""
    widths = []
    for images in (100, 400, 1600):
        studies = [
            estimate(folds_of(*random_outcomes(seed, images=images), np.arange(images), splits=5, seed=seed))
            for seed in range(40)
        ]
        widths.append(np.mean([s.interval.high - s.interval.low for s in studies if s.interval is not None]))

    assert widths[0] > 1.6 * widths[1] > 1.6 * 1.6 * widths[2]


@few
@given(SEEDS, st.integers(2, 500), st.floats(0, 1), st.booleans())
def test_one_fold_is_never_definite(seed: int, images: int, margin: float, classes: bool) -> None:
    """Of a single fold there are no probabilities, no interval and no answer, whatever it gained."""
    said = estimate(
        folds_of(np.zeros(images), np.ones(images), np.arange(images), splits=1, seed=seed, classes=classes),
        margin=margin,
    )

    assert (said.worse, said.equivalent, said.better, said.interval, said.answer) == (None,) * 4 + ("cannot tell",)


@few
@given(SEEDS, st.integers(2, 7), st.sampled_from([2, 5, 10]), st.floats(0, 3))
def test_fewer_than_eight_groups_are_never_equivalent(seed: int, groups: int, splits: int, margin: float) -> None:
    """However large the margin."""
    said = estimate(folds_of(*random_outcomes(seed), np.arange(100) % groups, splits=splits, seed=seed), margin=margin)

    assert said.answer != "equivalent"
    assert said.degrees_of_freedom is not None
    assert 1 <= said.degrees_of_freedom <= groups - 1 or said.degrees_of_freedom == 1


@few
@given(SEEDS, st.integers(2, 20), st.booleans())
def test_no_estimate_is_certain(seed: int, splits: int, classes: bool) -> None:
    """The interval has a width, and the three probabilities are some and sum to one, also where all images gain."""
    for first, second in (random_outcomes(seed), (np.zeros(100), np.ones(100))):
        said = estimate(folds_of(first, second, np.arange(100), splits=splits, seed=seed, classes=classes))
        assert said.interval is not None
        assert said.interval.low < said.difference < said.interval.high
        assert said.worse is not None
        assert said.worse + said.equivalent + said.better == pytest.approx(1)  # type: ignore[operator]
        assert said.fit_variance >= 0


@few
@given(SEEDS, st.integers(2, 10))
def test_what_would_settle_is_among_what_was_considered(seed: int, splits: int) -> None:
    """Splits or images, not both; up to three times as many more, inside the range that is said."""
    now = estimate(folds_of(*random_outcomes(seed, gain=0.1), np.arange(100), splits=splits, seed=seed))

    said = what_would_settle(now, images=100, splits=20)

    assert said.splits is None or said.more_images is None
    assert said.splits in {None, 5, 10, 20}
    if said.more_images is not None and said.more_images_range is not None:
        low, high = said.more_images_range
        assert 1 <= said.more_images <= 300
        assert low <= said.more_images <= high


@few
@given(SEEDS, st.integers(2, 4))
def test_copies_inside_their_groups_do_not_change_the_winner(seed: int, times: int) -> None:
    """Every image several times, in its group, leaves the corrected estimate as it is."""
    values = np.array(random_outcomes(seed, images=60))
    groups = [f"g{image // 3}" for image in range(60)]

    once = corrected_winner(values, groups, seed=0, draws=100)
    often = corrected_winner(np.tile(values, (1, times)), groups * times, seed=0, draws=100)

    assert often == once or often.corrected == pytest.approx(once.corrected)
